#!/usr/bin/python3
"""The harness checked: a judge that sees nothing or a proxy that cuts elsewhere proves nothing."""
import os
import tempfile
import unittest

import paho.mqtt.client as mqtt

from support import wire
from support.broker import Broker
from support.broker_stub import Stub
from support.proxy import Fault, Proxy
from support.receiver import Receiver
from support.records import Records
from support.waiting import main, wait_for

TOPIC = "dunlin/test/bird-1/batch"


def record(sequence, value=0, losses=()):
    batch = wire.Batch(stream=7, sequence=sequence, boot=1, catalog=2, base_uptime_ms=1000)
    batch.axes.add(count=1, first_ms=0)
    batch.columns.add(metric=0, first=value)
    for first, last in losses:
        batch.losses.add(first=first, last=last, reason=1)
    return batch.SerializeToString()


class Publisher:
    """One paho connection that publishes and counts acknowledgements."""

    def __init__(self, port, protocol=mqtt.MQTTv311):
        self.acknowledged = set()
        self.down = False
        self.client = mqtt.Client(client_id="publisher", protocol=protocol)
        self.client.on_publish = lambda _c, _d, mid: self.acknowledged.add(mid)
        self.client.on_disconnect = self._on_disconnect
        self.client.reconnect_delay_set(60, 60)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def _on_disconnect(self, *_):
        self.down = True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.disconnect()
        self.client.loop_stop()

    def publish(self, payload):
        return self.client.publish(TOPIC, payload, qos=1).mid


class TheJudge(unittest.TestCase):
    def judged(self, *payloads):
        records = Records()
        for payload in payloads:
            records.add(payload)
        return records

    def test_complete(self):
        self.judged(record(1), record(2), record(2), record(3)).check(self)

    def test_missing(self):
        self.assertEqual(self.judged(record(1), record(4)).missing(7), [2, 3])
        with self.assertRaises(AssertionError):
            self.judged(record(1), record(3)).check(self)

    def test_told_by_the_ledger(self):
        self.judged(record(1), record(5, losses=[(2, 4)])).check(self)

    def test_another_content(self):
        with self.assertRaises(AssertionError):
            self.judged(record(1, 5), record(1, 6)).check(self)

    def test_out_of_order(self):
        records = self.judged(record(2), record(1))
        self.assertEqual(records.out_of_order(7), [1])
        records.check(self)
        with self.assertRaises(AssertionError):
            records.check(self, strict=True)

    def test_out_of_lanes(self):
        merged = self.judged(*map(record, (1, 8, 2, 9, 3, 4, 10, 5, 6, 7, 11)))
        self.assertEqual(merged.out_of_lanes(7), [])
        self.assertEqual(self.judged(*map(record, (1, 5, 4, 2, 3))).out_of_lanes(7), [2, 3])

    def test_no_batch(self):
        with self.assertRaises(AssertionError):
            self.judged(b"\xff\xff\xff").check(self)


class Framing(unittest.TestCase):
    def test_packets_split_anywhere(self):
        stream = wire.packet(3, 2, b"x" * 200) + wire.packet(4, 0, b"\0\1")
        for at in range(len(stream) + 1):
            packets = wire.Packets()
            found = list(packets.feed(stream[:at])) + list(packets.feed(stream[at:]))
            self.assertEqual(found, [(3, 2, b"x" * 200), (4, 0, b"\0\1")])

    def test_publish_of_version_5(self):
        aliases = {}
        first = wire.text("a/batch") + b"\0\7" + b"\5\1\1\x23\0\5" + b"payload"
        again = wire.text("") + b"\0\x08" + b"\3\x23\0\5" + b"more"
        plain = wire.text("b") + b"\0\x09" + b"\0" + b"x"
        self.assertEqual(wire.publish_parts(2, first, 5, aliases), ("a/batch", 7, b"payload"))
        self.assertEqual(wire.publish_parts(2, again, 5, aliases), ("a/batch", 8, b"more"))
        self.assertEqual(wire.publish_parts(2, plain, 5, aliases), ("b", 9, b"x"))

    def test_points_of_columns(self):
        batch = wire.Batch(base_uptime_ms=1000)
        batch.axes.add(count=3, first_ms=5, interval_ms=100).jitter_ms.extend([1, -2])
        batch.columns.add(metric=4, first=10).deltas.extend([5, -20])
        batch.columns.add(metric=5, first=-1)
        self.assertEqual(list(wire.points(batch)),
                         [(4, 1005, 10), (4, 1106, 15), (4, 1204, -5),
                          (5, 1005, -1), (5, 1106, -1), (5, 1204, -1)])


class TheBroker(unittest.TestCase):
    def test_killed_and_started_on_the_same_port(self):
        with Broker() as broker:
            broker.start()
            port = broker.port
            broker.kill()
            broker.start()
            self.assertEqual(broker.port, port)
            with Receiver(port) as receiver, Publisher(port) as publisher:
                publisher.publish(record(1))
                receiver.wait_count(1)


class TheProxy(unittest.TestCase):
    def setUp(self):
        self.broker = Broker().start()
        self.addCleanup(self.broker.close)
        self.proxy = Proxy(self.broker.port)
        self.addCleanup(self.proxy.close)
        self.receiver = Receiver(self.broker.port)
        self.addCleanup(self.receiver.__exit__)

    def test_keeps_the_books(self):
        for first, protocol in ((1, mqtt.MQTTv311), (21, mqtt.MQTTv5)):
            with Publisher(self.proxy.port, protocol) as publisher:
                for sequence in range(first, first + 20):
                    publisher.publish(record(sequence))
                wait_for(lambda p=publisher: len(p.acknowledged) == 20, "twenty acknowledgements")
        # An answer is booked once it was passed on, so the last ones a moment after they came.
        wait_for(lambda: self.proxy.acknowledged.count() == 40, "forty answers in the books")
        self.proxy.acknowledged.check(self)

    def test_cuts_within_the_publish(self):
        size = len(wire.packet(3, 2, wire.text(TOPIC) + b"\0\1" + record(2)))
        for offset in (0, 1, size - 1, size):
            self.proxy.fault = Fault(cut_publish=(1, offset))
            before = self.receiver.records.count()
            with Publisher(self.proxy.port) as publisher:
                publisher.publish(record(before + 1))
                publisher.publish(record(before + 2))
                wait_for(lambda p=publisher: p.down, "the connection to be cut")
            passed = 2 if offset == size else 1
            self.receiver.wait_count(before + passed)
        self.assertEqual(self.receiver.records.count(), 5)

    def test_cuts_within_the_first_batch(self):
        size = len(wire.packet(3, 2, wire.text(TOPIC) + b"\0\1" + record(1)))
        for offset in (0, 1, size - 1, size):
            self.proxy.fault = Fault(cut_batch=offset)
            with Publisher(self.proxy.port) as publisher:
                publisher.client.publish("dunlin/test/bird-1/status", f"{offset}", qos=1)
                publisher.publish(record(1))
                publisher.publish(record(2))
                wait_for(lambda p=publisher: p.down, "the connection to be cut")
            self.receiver.wait_last("status", str(offset).encode())
            if offset == size:
                self.receiver.wait_count(1)
            self.assertEqual(self.receiver.records.count(), int(offset == size))
        self.assertEqual(self.proxy.published.sequences(7), [1])

    def test_cuts_within_the_acknowledgement(self):
        for offset in range(4):
            self.proxy.fault = Fault(cut_puback=(0, offset), reset=True)
            with Publisher(self.proxy.port) as publisher:
                publisher.publish(record(offset + 1))
                wait_for(lambda p=publisher: p.down, "the connection to be cut")
                self.assertEqual(publisher.acknowledged, set())
            self.receiver.wait_count(offset + 1)
        self.assertEqual(self.proxy.acknowledged.count(), 0)

    def test_slices(self):
        self.proxy.fault = Fault(slice_bytes=1, delay_s=0.001)
        with Publisher(self.proxy.port) as publisher:
            publisher.publish(record(1))
            self.receiver.wait_count(1)


class TheStub(unittest.TestCase):
    def test_stores_before_it_acknowledges(self):
        with tempfile.TemporaryDirectory() as folder, Stub(folder) as stub:
            stub.start("--die-between-store-and-ack", "3")
            with Publisher(stub.port) as publisher:
                for sequence in range(1, 4):
                    publisher.publish(record(sequence))
                wait_for(lambda: publisher.down, "the stub to die")
                self.assertEqual(len(publisher.acknowledged), 2)
            self.assertEqual(len(stub.payloads()), 3)
            stub.process.wait()

    def test_a_torn_tail_is_no_message(self):
        with tempfile.TemporaryDirectory() as folder, Stub(folder) as stub:
            stub.start()
            with Publisher(stub.port) as publisher:
                publisher.publish(record(1))
                publisher.publish(record(2))
                wait_for(lambda: len(publisher.acknowledged) == 2, "two acknowledgements")
            os.truncate(stub.store, os.path.getsize(stub.store) - 1)
            self.assertEqual(stub.payloads(), [record(1)])


if __name__ == "__main__":
    main()
