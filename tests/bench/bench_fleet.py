"""A fleet of 10,000 simulated devices at one Mosquitto, each a batch every 10 s, with an audit.

Prints what was delivered, how old it was when it came, and what a device and a record cost the
simulator, and what they cost the broker. Beside it, in the same minutes and at the same broker, the
load script that people write first: Paho clients in one Python process, a message each 10 s.
"""
import argparse
import json
import os
import resource
import select
import subprocess
import sys
import time

import paho.mqtt.client as mqtt
from measure import cpu_seconds, resident_kib, table
from support.agent import program
from support.broker import Broker

PERIOD_S = 10
PAYLOAD = b"x" * 100  # about what a batch of a meter has


def raise_descriptors():
    """Mosquitto and the rival are given what the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def simulate(broker, count, seconds):
    run = subprocess.run(
        [program("dunlin"), "simulate", "-h", "127.0.0.1", "-p", str(broker.port), "-n", str(count),
         "-d", f"{seconds}s", "--interval", "2s", "--batch-age", "8s", "-f", "json",
         "--broker-pid", str(broker.process.pid)], stdout=subprocess.PIPE, text=True, check=False)
    if not run.stdout:
        raise SystemExit(f"bench: dunlin simulate ended with {run.returncode}")
    return json.loads(run.stdout)


def rival(port, count, seconds):
    """Runs in a process of its own: prints bytes a client and CPU seconds a message."""
    clients = []
    poll = select.poll()
    by_fd = {}
    before = resident_kib(os.getpid())[0]
    for index in range(count):
        client = mqtt.Client(f"rival-{index}")
        client.connect("127.0.0.1", port)
        poll.register(client.socket(), select.POLLIN)
        by_fd[client.socket().fileno()] = client
        clients.append(client)
    sent = 0
    began = time.monotonic()
    cpu = cpu_seconds(os.getpid())
    while time.monotonic() < began + seconds:
        due = int((time.monotonic() - began) * count / PERIOD_S)
        for _ in range(sent, due):
            clients[sent % count].publish(f"rival/{sent % count}/batch", PAYLOAD, 1)
            sent += 1
        for descriptor, _ in poll.poll(20):
            by_fd[descriptor].loop_read()
        for client in clients:
            if client.want_write():
                client.loop_write()
    print(json.dumps({"a_client": (resident_kib(os.getpid())[0] - before) * 1024 / count,
                      "a_message": (cpu_seconds(os.getpid()) - cpu) / max(1, sent)}))


def run_rival(broker, count, seconds):
    run = subprocess.run([sys.executable, os.path.abspath(__file__), str(broker.port), str(count),
                          str(seconds)], stdout=subprocess.PIPE, text=True, check=True,
                         env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    return json.loads(run.stdout)


def show(figures):
    audit, cost, broker = figures["audit"], figures["cost"], figures["broker"]
    table(f"{figures['run']['devices']:,} devices for {figures['run']['sampled_s']:.0f} s",
          ["delivery", "count"],
          [["points sampled", figures["delivery"]["points"]],
           ["records", audit["recorded"]], ["records received", audit["received"]],
           ["records missing", audit["missing"]], ["points not received", audit["points_missing"]],
           ["duplicates", audit["duplicates"]],
           ["audit complete", "yes" if figures["complete"] else "NO"],
           ["records a second", figures["wire"]["records_a_second"]],
           ["bytes a point, on the wire", figures["wire"]["bytes_a_point"]]])
    table("how old, ms", ["from ... to", "half", "90 %", "99 %", "99.9 %", "most"],
          [[name, *(figures[key][f"p{share}_ms"] for share in (50, 90, 99, 999)),
            figures[key]["max_ms"]]
           for name, key in (("sealed ... acknowledged", "sealed_to_acknowledged"),
                             ("oldest sample ... acknowledged", "sampled_to_acknowledged"),
                             ("sample ... subscriber", "end_to_end"))])
    table("the broker", ["Mosquitto", "figure"],
          [["CPU, of one core", f"{broker['cpu_share']:.1f} %"],
           ["CPU a record, us", broker["cpu_us_a_record"]],
           ["memory a device, bytes", broker["memory_a_device"]],
           ["CPU of the simulator, of one core", f"{cost['cpu_share']:.1f} %"]])


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=10000)
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--rivals", type=int, default=1000, help="clients of the rival; 0: none")
    options = parser.parse_args()
    if raise_descriptors() < options.devices + 100:
        raise SystemExit(f"bench: more descriptors first: `ulimit -Hn {options.devices + 100}`")
    with Broker() as broker:
        broker.start()
        figures = simulate(broker, options.devices, options.seconds)
        show(figures)
        if options.rivals > 0:
            other = run_rival(broker, options.rivals, options.seconds / 4)
            cost = figures["cost"]
            table("a device of the simulator beside a client in Python",
                  ["figure", "dunlin", "rival", "ratio", "aim"],
                  [["memory a device, bytes", cost["memory_a_device"], other["a_client"],
                    cost["memory_a_device"] / other["a_client"], "below 4,096"],
                   ["CPU a record, us", cost["cpu_us_a_record"], other["a_message"] * 1e6,
                    cost["cpu_us_a_record"] / (other["a_message"] * 1e6), ""]])
    return 0 if figures["complete"] else 1


if __name__ == "__main__":
    raise_descriptors()
    rival(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
