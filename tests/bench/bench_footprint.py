"""Resident memory and CPU of the agent beside collectd, both at the same rate of metrics.

Both read this machine's memory, load, CPUs, filesystems, disks, interfaces, uptime and thermal
zones, and publish with QoS 1 to a Mosquitto on loopback. First each runs alone for a moment, to
count what it reads in one round; then each gets the interval at which it delivers the asked rate.
"""
import argparse
import os
import time

from measure import Collectd, Counter, cpu_seconds, resident_kib, table
from support import wire
from support.agent import Agent
from support.broker import Broker
from support.waiting import wait_for

SENSORS = ("memory", "load", "cpu", "filesystem", "disk", "network", "uptime", "temperature")


def agent_settings(interval_ms):
    return {"batch": {"points": 0, "age": "10s"},
            "sensors": {"interval": f"{interval_ms}ms", **{name: f"{interval_ms}ms"
                                                          for name in SENSORS}}}


def our_agent(port, interval_ms, env=None):
    agent = Agent(port, sensors=0, settings=agent_settings(interval_ms), env=env)
    del agent.settings["batch"]["points"]
    return agent


def values_of_collectd(messages):
    """How many numbers collectd's messages carry: "time:value[:value...]"."""
    return sum(len(payload.rstrip(b"\0").split(b":")) - 1 for topic, payload in messages
               if topic.startswith("collectd/"))


def points_of_ours(messages):
    total = 0
    for topic, payload in messages:
        if topic.endswith("/batch"):
            batch = wire.Batch()
            batch.ParseFromString(payload)
            total += sum(1 for _ in wire.points(batch))
    return total


def values_a_round(broker, start, count, distinct):
    """How many values one reading of all sensors gives."""
    with Counter(broker.port) as counter, start():
        wait_for(lambda: len(counter.messages) > 0, "the first value")
        time.sleep(8)
        names = {name for topic, payload in counter.messages for name in distinct(topic, payload)}
    return max(1, len(names)), count


def names_of_collectd(topic, payload):
    if topic.startswith("collectd/"):
        for index in range(len(payload.rstrip(b"\0").split(b":")) - 1):
            yield topic, index


def names_of_ours(topic, payload):
    if topic.endswith("/batch"):
        batch = wire.Batch()
        batch.ParseFromString(payload)
        yield from (metric for metric, _, _ in wire.decode.expand(batch))


def measure(broker, running, pid_of, count, seconds, warm_up):
    """One row: resident KiB, proportional KiB, CPU s/h, values a second."""
    with Counter(broker.port) as counter, running as started:
        pid = pid_of(started)
        wait_for(lambda: counter.messages, "the first message")
        time.sleep(warm_up)
        before, cpu, begin = count(list(counter.messages)), cpu_seconds(pid), time.monotonic()
        time.sleep(seconds)
        span = time.monotonic() - begin
        used = (cpu_seconds(pid) - cpu) / span * 3600
        rss, pss = resident_kib(pid)
        rate = (count(list(counter.messages)) - before) / span
    return rss, pss, used, rate


class _Started:
    """An agent that starts when the measurement does."""

    def __init__(self, agent):
        self.agent = agent

    def __enter__(self):
        self.agent.start()
        return self.agent

    def __exit__(self, *_):
        self.agent.terminate()
        self.agent.__exit__()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long each is measured")
    parser.add_argument("--rate", type=float, default=50, help="metrics a second")
    arguments = parser.parse_args()
    if not Collectd.path():
        print("bench footprint: collectd is missing: tools/setup --bench")
        return 1
    with Broker() as broker:
        broker.start()
        ours, _ = values_a_round(broker, lambda: _Started(our_agent(broker.port, 1000)),
                                 None, names_of_ours)
        theirs, _ = values_a_round(broker, lambda: Collectd(broker.port, 1),
                                   None, names_of_collectd)
        ours_ms, theirs_ms = (round(1000 * n / arguments.rate) for n in (ours, theirs))
        print(f"one round: dunlin {ours} values, collectd {theirs}; "
              f"intervals {ours_ms} ms and {theirs_ms} ms")
        mine = measure(broker, _Started(our_agent(broker.port, ours_ms)),
                       lambda agent: agent.process.pid, points_of_ours, arguments.seconds, 12)
        rival = measure(broker, Collectd(broker.port, theirs_ms / 1000),
                        lambda collectd: collectd.process.pid, values_of_collectd,
                        arguments.seconds, 12)
    rows = [["dunlind", *mine], ["collectd", *rival],
            ["ratio", *(a / b if b else 0.0 for a, b in zip(mine, rival))]]
    table(f"Footprint at {arguments.rate:g} metrics a second over {arguments.seconds:g} s on "
          f"{os.cpu_count()} CPUs",
          ["", "RSS KiB", "PSS KiB", "CPU s/h", "values/s"], rows)
    return 0
