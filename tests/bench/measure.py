"""What the measurements share: reading a process from outside, tables, the rival collectd."""
import os
import shutil
import subprocess
import tempfile

PLUGINS = ("memory", "load", "cpu", "df", "disk", "interface", "uptime", "thermal")


def resident_kib(pid):
    """(resident, proportional) set sizes in KiB, from smaps_rollup."""
    sizes = {}
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as stream:
        for line in stream:
            words = line.split()
            if words[0] in ("Rss:", "Pss:"):
                sizes[words[0]] = int(words[1])
    return sizes["Rss:"], sizes["Pss:"]


def cpu_seconds(pid):
    """CPU time of all threads, by the scheduler's own count in nanoseconds."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as stream:
            total += int(stream.read().split()[0])
    return total / 1e9


def table(title, head, rows):
    """Prints rows as a table; numbers to the right."""
    cells = [list(head)] + [[text(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    print(f"\n{title}\n")
    for number, row in enumerate(cells):
        print("  ".join(cell.ljust(width) if column == 0 else cell.rjust(width)
                        for column, (cell, width) in enumerate(zip(row, widths))).rstrip())
        if number == 0:
            print("  ".join("-" * width for width in widths))
    print()


def text(cell):
    if isinstance(cell, float):
        return f"{cell:.3g}" if abs(cell) < 100 else f"{cell:,.0f}"
    if isinstance(cell, int):
        return f"{cell:,}"
    return str(cell)


class Collectd:
    """collectd with the plugins for the same readings, publishing by its own MQTT plugin."""

    def __init__(self, port, interval_s, env=None):
        self.folder = tempfile.mkdtemp(prefix="dunlin-collectd-")
        self.config = os.path.join(self.folder, "collectd.conf")
        self.env = dict(os.environ, **(env or {}))
        self.process = None
        loads = "\n".join(f"LoadPlugin {name}" for name in PLUGINS)
        with open(self.config, "w", encoding="ascii") as stream:
            stream.write(f"""Hostname "rival"
BaseDir "{self.folder}"
PIDFile "{self.folder}/pid"
TypesDB "/usr/share/collectd/types.db"
Interval {interval_s}
LoadPlugin logfile
<Plugin logfile>
  LogLevel "err"
  File "{self.folder}/log"
</Plugin>
{loads}
LoadPlugin mqtt
<Plugin cpu>
  ReportByCpu true
  ReportByState true
  ValuesPercentage true
</Plugin>
<Plugin df>
  FSType "rootfs"
  FSType "tmpfs"
  FSType "overlay"
  FSType "proc"
  FSType "sysfs"
  IgnoreSelected true
</Plugin>
<Plugin mqtt>
  <Publish "broker">
    Host "127.0.0.1"
    Port {port}
    QoS 1
    Prefix "collectd"
  </Publish>
</Plugin>
""")

    def __enter__(self):
        self.process = subprocess.Popen([self.path(), "-f", "-C", self.config], env=self.env,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    @staticmethod
    def path():
        return shutil.which("collectd") or shutil.which("collectd", path="/usr/sbin")


class Counter:
    """Subscribes to everything and counts what a rival and we deliver."""

    def __init__(self, port):
        import paho.mqtt.client as mqtt
        self.messages = []
        self.client = mqtt.Client(client_id="counter")
        self.client.on_message = lambda _c, _d, m: self.messages.append((m.topic, m.payload))
        self.client.connect("127.0.0.1", port)
        self.client.subscribe("#", qos=1)
        self.client.loop_start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.disconnect()
        self.client.loop_stop()
