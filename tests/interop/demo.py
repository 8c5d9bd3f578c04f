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
from support.children import spawn
from support.receiver import Receiver
from support.waiting import wait_for

# (metric, attribute values, how to say it)
SHOWN = (("system.memory.usage", ("used",), lambda v: f"memory {v / 2**20:,.0f} MiB"),
         ("system.cpu.utilization", ("user",), lambda v: f"CPU {v:.1%}"),
         ("system.cpu.load_average.1m", (), lambda v: f"load {v:.2f}"),
         ("system.network.io", ("lo", "receive"), lambda v: f"lo {v / 2**20:,.2f} MiB"))
SENSORS = ("memory", "load", "cpu", "filesystem", "disk", "network", "uptime", "temperature",
           "process", "self")


class Stopped(Exception):
    """Ctrl-C, or SIGTERM."""


def say(text):
    print(f"\n== {text}", flush=True)


def stop(*_):
    raise Stopped


class Watch:
    """`dunlin watch` with a session that the broker keeps, and a thread that shows its rows."""

    def __init__(self, port):
        self.batch, self.points, self.newest = None, 0, {}
        self.process = spawn(
            [program("dunlin"), "watch", "-L", f"mqtt://127.0.0.1:{port}", "-i", "demo-watch", "-c",
             "--quiet"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.thread = threading.Thread(target=self._show)
        self.thread.start()

    def _show(self):
        for line in self.process.stdout:
            row = json.loads(line)
            if row.get("type") == "point":
                if row["seq"] != self.batch:
                    self._end_batch()
                    self.batch = row["seq"]
                self.points += 1
                labels = tuple(row.get("attributes", {}).values())
                self.newest[row["metric"], labels] = row
        self._end_batch()

    def _end_batch(self):
        """One line a batch: how many points, and the newest of a few that everybody knows."""
        if self.points:
            found = [(words, self.newest.get((metric, labels))) for metric, labels, words in SHOWN]
            times = [row["time"] for row in self.newest.values() if row["time"] is not None]
            when = time.strftime("%H:%M:%S", time.localtime(max(times, default=0) / 1000))
            shown = ", ".join(words(row["value"]) for words, row in found if row)
            print(f"   {when}  batch {self.batch}, {self.points} points: {shown}", flush=True)
        self.points, self.newest = 0, {}

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.thread.join()


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
    newest = sum(max(records.sequences(stream), default=0) for stream in streams)
    recorded = agent.last_number("records") or newest
    points = agent.last_number("points")
    missing = max(sum(len(records.missing(stream)) for stream in streams),
                  recorded - records.count())
    say("verdict")
    print(f"   recorded:   {recorded} batches, {points} points\n"
          f"   delivered:  {records.count()} batches, {records.point_count()} points\n"
          f"   missing:    {missing}\n"
          f"   duplicated: {records.duplicates()}"
          f"{' (the same bytes under the same sequence)' if records.duplicates() else ''}\n",
          flush=True)
    return missing == 0 and not records.conflicts and records.point_count() == points


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
