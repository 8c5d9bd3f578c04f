#!/usr/bin/python3
"""The demo, on the harness of the tests: tools/demo builds and then runs this.

The agent reads this machine; `dunlin watch` shows what comes; a recorder that knows only the .proto
keeps the books. The broker is stopped in the middle. It keeps its sessions on disk when it is
stopped in order, so the recorder misses nothing that the broker took.
"""
import json
import signal
import subprocess
import sys
import threading
import time

from support.agent import Agent, program
from support.broker import Broker
from support.receiver import Receiver
from support.waiting import wait_for

SHOWN = ("system.memory.usage", "system.cpu.load_average.1m", "system.cpu.utilization",
         "system.network.io", "system.uptime")
ROWS_A_BATCH = 3
SENSORS = ("memory", "load", "cpu", "filesystem", "disk", "network", "uptime", "temperature",
           "process", "self")


class Stopped(Exception):
    """Ctrl-C, or SIGTERM."""


def say(text):
    print(f"\n== {text}", flush=True)


def stop(*_):
    raise Stopped


class Watch:
    """`dunlin watch`, and a thread that shows some of its rows."""

    def __init__(self, port):
        self.batch, self.rows = None, 0
        self.process = subprocess.Popen(
            [program("dunlin"), "watch", "-L", f"mqtt://127.0.0.1:{port}"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        threading.Thread(target=self._show, daemon=True).start()

    def _show(self):
        for line in self.process.stdout:
            row = json.loads(line)
            if row.get("type") == "point":
                self._show_point(row)

    def _show_point(self, row):
        if row["seq"] != self.batch:
            if self.batch is not None:
                print(f"   batch {self.batch}: {self.rows} points", flush=True)
            self.batch, self.rows = row["seq"], 0
        self.rows += 1
        if self.rows <= ROWS_A_BATCH * 40 and row["metric"] in SHOWN and self.rows % 7 == 1:
            labels = ",".join(str(value) for value in row.get("attributes", {}).values())
            when = time.strftime("%H:%M:%S", time.localtime((row["time"] or 0) / 1000))
            print(f"   {when}  {row['device']}  {row['metric']}{{{labels}}}"
                  f"  {row['value']} {row['unit']}", flush=True)

    def close(self):
        self.process.terminate()
        self.process.wait()


def run(seconds, broker, agent):
    """The play; returns when it is over or Stopped."""
    end = time.monotonic() + seconds
    pause = min(10.0, seconds / 4)
    say(f"agent {agent.device} runs with this machine's metrics for {seconds} s")
    time.sleep(max(0.0, (end - time.monotonic() - pause) / 2))
    say(f"the broker is stopped for {pause:.0f} s; the agent goes on recording")
    broker.stop()
    time.sleep(pause)
    broker.start()
    say("the broker is back; the agent delivers what waited")
    time.sleep(max(0.0, end - time.monotonic()))


def verdict(records, agent):
    """Prints it; true if nothing is missing."""
    streams = records.streams()
    missing = sum(len(records.missing(stream)) for stream in streams)
    recorded = sum(max(records.sequences(stream), default=0) for stream in streams)
    told = agent.last_number("records")
    recorded = recorded if told is None else told
    missing = max(missing, recorded - records.count())
    say("verdict")
    print(f"   recorded:   {recorded} batches\n"
          f"   delivered:  {records.count()} batches, {records.point_count()} points\n"
          f"   missing:    {missing}\n"
          f"   duplicated: {records.duplicates()} (known by their sequence, same bytes)\n",
          flush=True)
    return missing == 0 and not records.conflicts and records.count() > 0


def main():
    seconds = int(sys.argv[1])
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    settings = {"batch": {"points": 512, "age": "1s"},
                "agent": {"drain": "10s"},
                "broker": {"reconnect_max": "500ms"},
                "sensors": {"interval": "1s", **dict.fromkeys(SENSORS, "1s")}}
    with Broker(persistent=True) as broker:
        say(f"Mosquitto listens on 127.0.0.1:{broker.start().port}")
        with Receiver(broker.port) as receiver, \
                Agent(broker.port, device="demo", fleet="demo", sensors=0,
                      settings=settings) as agent:
            watch = Watch(broker.port)
            agent.start()
            try:
                run(seconds, broker, agent)
            except Stopped:
                say("stopped by hand")
                if broker.process is None:
                    broker.start()
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
            code = agent.terminate()
            wait_for(lambda: receiver.last("status") == b"offline", "the agent's goodbye", 30)
            watch.close()
            return 0 if verdict(receiver.records, agent) and code == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
