"""Bytes a point on the wire, for the same samples of this machine in several forms.

The agent runs with its real sensors and delivers to a Mosquitto on loopback. Each batch that comes
is decoded and written again as one message in each rival form, so every form carries the same
points in the same messages. Dictionaries are not counted for the Sparkplug shape (they are in its
birth message); for ours they are (announcements are records).
"""
import argparse
import time

from bench_footprint import SENSORS
from forms import TEXT_FORMS as FORMS
from measure import table
from support import wire
from support.agent import Agent
from support.broker import Broker
from support.receiver import Receiver
from support.waiting import wait_for

SETTINGS = (("default: every 5 s, batches of 10 s", "5s", "10s", "1K"),
            ("every 1 s, batches of 10 s", "1s", "10s", "4K"),
            ("every 1 s, batches of 60 s", "1s", "60s", "4K"))


def record(seconds, interval, age, size):
    settings = {"batch": {"age": age, "bytes": size},
                "sensors": {"interval": interval, **{name: interval for name in SENSORS}}}
    with Broker() as broker, Receiver(broker.start().port) as receiver, \
            Agent(broker.port, sensors=0, settings=settings) as agent:
        del agent.settings["batch"]["points"]
        agent.start()
        wait_for(lambda: receiver.last("catalog"), agent.log)
        time.sleep(seconds)
        agent.terminate()
        return list(receiver.records.batches.values()), list(receiver.records.bytes.values())


def measure(batches, payloads):
    """One row: points, messages, points a message, bytes a point of ours and of each rival."""
    dictionary = {metric.id: metric for batch in batches for metric in batch.metrics}
    count, sizes = 0, dict.fromkeys((name for name, _ in FORMS), 0)
    for batch in batches:
        points = list(wire.points(batch))
        if points:
            count += len(points)
            for name, write in FORMS:
                sizes[name] += len(write("bird-1", points, dictionary, batch.boot_unix_ms))
    ours = sum(map(len, payloads))
    told = sum(len(p) for b, p in zip(batches, payloads) if b.metrics)
    return count, len(payloads), ours / count, (ours - told) / count, \
        [sizes[name] / count for name, _ in FORMS]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=70, help="recording time a setting")
    arguments = parser.parse_args()
    rows, ratios = [], []
    for title, interval, age, size in SETTINGS:
        count, messages, ours, steady, rivals = measure(
            *record(arguments.seconds, interval, age, size))
        rows.append([title, count, count / messages, ours, steady, *rivals])
        ratios.append([f"  {title}: rival / ours", "", "", 1.0, "",
                       *(rival / ours for rival in rivals)])
    table(f"Bytes a point, payloads only, {arguments.seconds:g} s of this machine a row",
          ["", "points", "points/msg", "dunlin", "without the records that announce",
           *(name for name, _ in FORMS)], rows + ratios)
    return 0
