"""Heap calls of the agent once it has started, beside collectd doing the same work.

A preloaded counter counts malloc, calloc, realloc, aligned allocations and free. "At start" is what
was called until the first record came; "after" is what was called in the time that followed.
"""
import argparse
import os
import struct
import sys
import tempfile
import time

from bench_footprint import _Started, our_agent
from measure import Collectd, Counter, table
from support.agent import BUILD
from support.broker import Broker
from support.waiting import wait_for

COUNTER = os.path.join(BUILD, "count_heap.so")
NAMES = ("malloc", "calloc", "realloc", "aligned", "free")


def counts(path):
    with open(path, "rb") as stream:
        return struct.unpack("<5Q", stream.read(40))


def run(broker, running, path, seconds):
    """(calls at start, calls after) of each kind."""
    with Counter(broker.port) as counter, running:
        wait_for(lambda: counter.messages, "the first message")
        wait_for(lambda: any(not topic.endswith(("status", "about", "catalog"))
                             for topic, _ in counter.messages), "the first record")
        start = counts(path)
        time.sleep(seconds)
        end = counts(path)
    return start, tuple(b - a for a, b in zip(start, end))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--interval", type=int, default=1000, help="ms between two readings")
    arguments = parser.parse_args()
    rows = []
    with Broker() as broker, tempfile.TemporaryDirectory() as folder:
        broker.start()
        programs = [("dunlind", lambda env: _Started(
            our_agent(broker.port, arguments.interval, env)))]
        if Collectd.path():
            programs.append(("collectd", lambda env: Collectd(
                broker.port, arguments.interval / 1000, env)))
        for name, start in programs:
            path = os.path.join(folder, name)
            with open(path, "wb") as stream:
                stream.write(bytes(4096))
            begun, after = run(broker, start({"LD_PRELOAD": COUNTER, "DUNLIN_HEAP_FILE": path}),
                               path, arguments.seconds)
            if not any(begun):  # even a program without a heap starts a C library that has one
                print(f"bench heap: {COUNTER} counted nothing of {name}", file=sys.stderr)
                return 1
            rows += [[f"{name} at start", *begun], [f"{name} after", *after]]
    table(f"Heap calls, and what came in {arguments.seconds:g} s after the first record",
          ["", *NAMES], rows)
    return 0
