#!/usr/bin/python3
"""The values: what /proc and the files held is what an independent decoder reads.

The independent decoder is Python's protobuf package with telemetry.proto, and the arithmetic of
SPEC.md as written in support/wire.py. /proc is a folder of the test, so each number is known.
"""
import decimal
import json
import os
import subprocess
import unittest

from support import wire
from support.agent import Agent, finish, program
from support.broker import Broker
from support.receiver import Receiver
from support.waiting import main, wait_for

MEMINFO = """MemTotal:       16384000 kB
MemFree:         1234567 kB
MemAvailable:    9999999 kB
Buffers:          111111 kB
Cached:          2222222 kB
SwapTotal:             0 kB
"""
NET_DEV = """Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo
  eth0: 123456789012 1000 3 4 0 0 0 0 987654321 2000 5 6 0 0 0 0
"""
# (metric, attributes, value) that this /proc must give.
EXPECTED = {
    ("system.memory.limit", (), "16777216000"),
    ("system.memory.usage", ("free",), "1264196608"),
    ("system.memory.linux.available", (), "10239998976"),
    ("system.memory.usage", ("buffers",), "113777664"),
    ("system.memory.usage", ("cached",), "2275555328"),
    ("system.memory.usage", ("used",), "13123686400"),
    ("system.cpu.load_average.1m", (), "0.52"),
    ("system.cpu.load_average.5m", (), "12.00"),
    ("system.cpu.load_average.15m", (), "0.00"),
    ("system.uptime", (), "12345.67"),
    ("system.network.io", ("eth0", "receive"), "123456789012"),
    ("system.network.io", ("eth0", "transmit"), "987654321"),
    ("system.network.errors", ("eth0", "receive"), "3"),
    ("system.network.errors", ("eth0", "transmit"), "5"),
    ("system.network.packet.dropped", ("eth0", "receive"), "4"),
    ("system.network.packet.dropped", ("eth0", "transmit"), "6"),
    ("hw.temperature", (), "-12.345"),
    ("test.zero", (), "0"),
    ("test.flow", (), "1.25"),
    ("test.link", (), "2"),
}


def write(folder, path, content):
    whole = os.path.join(folder, path)
    os.makedirs(os.path.dirname(whole), exist_ok=True)
    with open(whole, "w", encoding="ascii") as stream:
        stream.write(content)
    return whole


def readings(batches):
    """{(metric, attribute values, exact value)} of all points."""
    dictionary = {metric.id: metric for batch in batches for metric in batch.metrics}
    found = set()
    for batch in batches:
        for identity, _, value in wire.points(batch):
            metric = dictionary[identity]
            found.add((metric.name, tuple(sorted(a.value for a in metric.attributes)),
                       decimal.Decimal(value).scaleb(metric.exponent)))
    return found


class Values(unittest.TestCase):
    def setUp(self):
        self.broker = Broker().start()
        self.addCleanup(self.broker.close)
        self.receiver = Receiver(self.broker.port)
        self.addCleanup(self.receiver.__exit__)
        self.agent = Agent(self.broker.port, sensors=0)
        self.addCleanup(self.agent.__exit__)
        self.agent.settings["batch"]["points"] = 64
        self.agent.settings["sensors"]["resolution"] = "exact"

    def batches(self):
        return list(self.receiver.records.batches.values())

    def pretend(self):
        """Gives the agent a /proc with known numbers, and two files."""
        folder = self.agent.folder
        write(folder, "proc/meminfo", MEMINFO)
        write(folder, "proc/loadavg", "0.52 12.00 0.00 1/234 5678\n")
        write(folder, "proc/uptime", "12345.67 999.00\n")
        write(folder, "proc/net/dev", NET_DEV)
        self.agent.settings["sensors"].update(
            {"proc": os.path.join(folder, "proc"), "sys": os.path.join(folder, "sys"),
             **dict.fromkeys(("memory", "load", "network", "uptime"), "100ms")})
        self.agent.settings["file cold"] = {
            "path": write(folder, "temp", "-12345\n"), "name": "hw.temperature", "unit": "Cel",
            "scale": "0.001", "decimals": 3}
        self.agent.settings["file zero"] = {
            "path": write(folder, "zero", "0\n"), "name": "test.zero", "unit": "1"}
        self.agent.settings["file flow"] = {
            "path": write(folder, "flow", "1.25e-3\n"), "name": "test.flow", "type": "real",
            "scale": "1000"}
        self.agent.settings["file link"] = {
            "path": write(folder, "link", "dormant\n"), "name": "test.link",
            "states": "down, up, dormant"}

    def test_what_proc_held_is_what_python_reads(self):
        self.pretend()
        self.agent.start()
        self.receiver.wait_count(5)
        finish(self, self.agent, self.receiver.records)
        wanted = {(name, values, decimal.Decimal(value)) for name, values, value in EXPECTED}
        self.assertEqual(readings(self.batches()) ^ wanted, set())

    def test_the_tool_reads_the_same(self):
        self.pretend()
        self.agent.start()
        self.receiver.wait_count(5)
        finish(self, self.agent, self.receiver.records)
        payloads = [self.receiver.records.bytes[key] for key in self.receiver.records.batches]
        dictionary = {m.id: m for batch in self.batches() for m in batch.metrics}
        mine = [(batch.sequence, dictionary[identity].name, dictionary[identity].unit, uptime,
                 str(decimal.Decimal(value).scaleb(dictionary[identity].exponent).normalize()),
                 batch.boot_unix_ms + uptime)
                for batch in self.batches() for identity, uptime, value in wire.points(batch)]
        self.assertEqual(self.decoded_by_the_tool(payloads), mine)

    def decoded_by_the_tool(self, payloads):
        lines = "".join(payload.hex() + "\n" for payload in payloads)
        run = subprocess.run(
            [program("dunlin"), "decode", "--framing", "hex", "--format", "json", "-"],
            input=lines, capture_output=True, text=True, check=False)
        self.assertEqual(run.returncode, 0, run.stderr)
        rows = [json.loads(line, parse_float=decimal.Decimal) for line in run.stdout.splitlines()]
        self.assertEqual({row["state"] for row in rows if row.get("metric") == "test.link"
                          and row["type"] == "point"}, {"dormant"})
        return [(row["seq"], row["metric"], row["unit"], row["uptime_ms"],
                 str(decimal.Decimal(row["value"]).normalize()), row["time"])
                for row in rows if row["type"] == "point"]

    def test_the_real_machine(self):
        with open("/proc/meminfo", encoding="ascii") as stream:
            kib = int(stream.readline().split()[1])
        self.agent.settings["sensors"]["memory"] = "100ms"
        self.agent.start()
        self.receiver.wait_count(3)
        finish(self, self.agent, self.receiver.records)
        limit = ("system.memory.limit", (), decimal.Decimal(kib * 1024))
        self.assertIn(limit, readings(self.batches()))

    def test_plain_samples_need_no_dictionary(self):
        self.pretend()
        self.agent.settings["agent"]["encoding"] = "plain"
        self.agent.start()
        wait_for(lambda: self.receiver.last("samples"), self.agent.log)
        self.agent.terminate()
        rows = [row for topic, payload, _ in self.receiver.messages if topic.endswith("/samples")
                for row in wire.Samples.FromString(payload).samples]
        found = {(row.metric, tuple(sorted(one.value for one in row.attributes)), row.value)
                 for row in rows}
        wanted = {(name, values, float(value)) for name, values, value in EXPECTED}
        self.assertEqual(found ^ wanted, set())
        self.assertTrue(all(row.HasField("value") and row.HasField("time") for row in rows))


if __name__ == "__main__":
    main()
