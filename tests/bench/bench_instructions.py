"""Instructions a sample, counted by callgrind: the recording path beside formatting text.

Each way runs with N and with 3 N samples; the difference, less what making the values costs,
divided by 2 N is a sample's cost without any start-up.
"""
import argparse
import os
import re
import shutil
import subprocess

from measure import table
from support.agent import BUILD

WAYS = (("dunlin: batch, encode, CRC, log", "dunlin"), ("JSON by snprintf", "json"),
        ("line protocol by snprintf", "line"))


def instructions(way, count):
    run = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                          os.path.join(BUILD, "samples"), way, str(count)],
                         capture_output=True, text=True, check=True)
    return int(re.search(r"Collected : (\d+)", run.stderr).group(1))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=20000)
    arguments = parser.parse_args()
    if not shutil.which("valgrind"):
        print("bench instructions: valgrind is missing: tools/setup --bench")
        return 1

    def slope(way):
        few, many = arguments.samples, 3 * arguments.samples
        return (instructions(way, many) - instructions(way, few)) / (many - few)
    floor = slope("none")
    costs = [(title, slope(way) - floor) for title, way in WAYS]
    rows = [[title, cost, costs[0][1] / cost] for title, cost in costs]
    table(f"Instructions a sample, {arguments.samples} samples of 50 metrics",
          ["", "instructions", "dunlin / this"], rows)
    return 0
