"""A broker comes back to a fleet of 1,000: how many devices reconnect in which second.

The devices are whole (agent, log, MQTT client), in one process and in virtual time; the rivals are
models of the rule by which they wait, at the same broker. Nothing is timed: two runs print the
same. A second of the peak may begin at any moment; the plots count whole seconds.
"""
import argparse
import os
import subprocess

from measure import table
from support.agent import BUILD

DEVICES = 1000
ROWS = 12
WIDTH = 60


def runs():
    run = subprocess.run([os.path.join(BUILD, "storm")], capture_output=True, text=True,
                         check=False)
    for line in run.stdout.splitlines():
        scenario, rule, *figures, seconds = line.split("\t")
        yield scenario, rule, [int(figure) for figure in figures], \
            [int(count) for count in seconds.split(",")]
    if run.returncode != 0:
        raise SystemExit("storm: a fleet with reconnect_spread went beyond its share")


def plot(rule, seconds):
    """The busiest second of each stretch; the bar of the whole fleet is WIDTH long."""
    while len(seconds) > 1 and seconds[-1] == 0:
        seconds = seconds[:-1]
    stretch = -(-len(seconds) // ROWS)
    print(f"  {rule}: reconnects in the busiest second of each {stretch} s")
    for first in range(0, len(seconds), stretch):
        most = max(seconds[first:first + stretch])
        bar = "#" * -(-most * WIDTH // DEVICES)
        print(f"  {first:5d} s {most:5d} {bar}".rstrip())
    print()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    scenarios = {}
    for scenario, rule, figures, seconds in runs():
        scenarios.setdefault(scenario, []).append((rule, figures, seconds))
    for scenario, rules in scenarios.items():
        ours = rules[0][1][0]
        rows = [[rule, most, f"{most / DEVICES:.1%}", most / ours, attempts, half, nearly, whole]
                for rule, (most, attempts, half, nearly, whole), _ in rules]
        table(f"{DEVICES:,} devices, {scenario}",
              ["rule", "reconnects in a second", "share", "ratio to the first", "tries in a second",
               "half back, s", "99 %, s", "all, s"], rows)
        for rule, _, seconds in rules[:1] + rules[-2:-1]:
            plot(rule, seconds)
    return 0
