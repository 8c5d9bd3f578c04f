"""What an acknowledged QoS 1 message costs its client: instructions under callgrind and system
calls under strace, payloads of 100 bytes, a real Mosquitto on loopback.

Each client publishes N and 3 N messages; the difference divided by 2 N is the cost of a message
without any start-up. It waits for the broker on the way, so the counts move a little from run to
run. strace and callgrind slow all clients alike, which makes acks come in larger groups.
"""
import argparse
import os
import re
import shutil
import tempfile

from lines import program, publish
from measure import table
from support.broker import Broker

CLIENTS = (("dunlin", "dunlin", None), ("libmosquitto", "mosquitto", 0.7),
           ("Paho C, asynchronous", "paho", 0.5))
CALLGRIND = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")


def instructions(name, port, count, window, version):
    said = publish(name, port, count, window, version, before=CALLGRIND)[1]
    return int(re.search(r"Collected : (\d+)", said).group(1))


def system_calls(name, port, count, window, version):
    with tempfile.NamedTemporaryFile("r", prefix="dunlin-strace-") as counts:
        publish(name, port, count, window, version, before=("strace", "-f", "-c", "-o",
                                                            counts.name))
        total = [line.split() for line in counts if line.rstrip().endswith("total")]
    return int(total[0][3])


def slope(cost, *arguments, few):
    name, port, window, version = arguments
    return (cost(name, port, 3 * few, window, version) - cost(name, port, few, window, version)) \
        / (2 * few)


def measure(port, version, options):
    rows = []
    for title, name, aim in CLIENTS:
        if os.path.exists(program(name)):
            count = slope(instructions, name, port, options.window, version, few=options.messages)
            calls = slope(system_calls, name, port, options.window, version, few=options.messages)
            rows.append((title, count, calls, aim))
        else:
            print(f"{title} is missing: its row is left out")
    ours = rows[0]
    return [[title, count, ours[1] / count, aim or "-", calls, ours[2] / calls]
            for title, count, calls, aim in rows]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=2000, help="N [2000]")
    parser.add_argument("--window", type=int, default=64, help="messages in flight [64]")
    options = parser.parse_args()
    missing = [tool for tool in ("valgrind", "strace") if not shutil.which(tool)]
    if missing:
        print(f"bench uplink: {' and '.join(missing)} missing: tools/setup --bench")
        return 1
    with Broker() as broker:
        broker.start()
        for version, title in ((4, "3.1.1"), (5, "5")):
            table(f"Cost of a message, MQTT {title}, window {options.window}; ratio: dunlin / this",
                  ["", "instructions", "ratio", "aim", "system calls", "ratio"],
                  measure(broker.port, version, options))
    return 0
