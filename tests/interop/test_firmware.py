#!/usr/bin/python3
"""The firmware on an emulated Cortex-M3: the outages of the other agents, power cuts, faults.

DUNLIN_POWER_CUTS=N cuts the power so many times (default 12).
"""
import os
import random
import unittest

from support import firmware, wire
from support.broker import Broker
from support.firmware import Firmware
from support.proxy import Proxy
from support.receiver import Receiver
from support.waiting import last_for, main, wait_for

POWER_CUTS = int(os.environ.get("DUNLIN_POWER_CUTS", "12"))
MISSING = firmware.missing()


@unittest.skipIf(MISSING, MISSING)
class FirmwareCase(unittest.TestCase):
    def setUp(self):
        self.broker = Broker().start()
        self.addCleanup(self.broker.close)
        self.proxy = Proxy(self.broker.port)
        self.addCleanup(self.proxy.close)

    def device(self, port=None, **options):
        device = Firmware(port or self.proxy.port, **options)
        self.addCleanup(device.__exit__)
        return device

    def receiver(self):
        return self.enterContext(Receiver(self.broker.port))

    def wait_more(self, records, count, device):
        target = records.count() + count
        wait_for(lambda: records.count() >= target or device._must_live(),
                 lambda: f"{target} records; there are {records.count()}:\n{device.log()}")

    def settle(self, records, device):
        """Waits until nothing is missing up to the newest record, which must come."""
        self.wait_more(records, 3, device)
        wait_for(lambda: not any(map(records.missing, records.streams())) or device._must_live(),
                 lambda: f"{[records.missing(s) for s in records.streams()]}:\n{device.log()}")
        records.check(self)
        self.assertEqual(len(records.streams()), 1)
        print(records.summary())

    def values(self, receiver, metric):
        """All values of a metric, by the device's catalog, in the order of their records."""
        catalog = wire.Catalog()
        with receiver.lock:
            found = [payload for topic, payload, _ in receiver.messages
                     if topic.endswith("/catalog")]
            batches = [batch for _, batch in sorted(receiver.records.batches.items())]
        if not found:
            return []
        catalog.ParseFromString(found[-1])
        ids = [i for i, entry in enumerate(catalog.metrics) if entry.name == metric]
        return [value for batch in batches for id_, _, value in wire.points(batch) if id_ in ids]


class Outages(FirmwareCase):
    def test_broker_absent_at_the_start_and_killed_later(self):
        self.broker.kill()
        device = self.device().start()
        device.wait_log("disconnected")
        self.broker.start()
        for _ in range(3):
            self.wait_more(self.proxy.acknowledged, 10, device)
            self.broker.kill()
            accepted = self.proxy.accepted
            wait_for(lambda a=accepted: self.proxy.accepted > a, "the device to try again")
            self.broker.start()
        self.settle(self.proxy.acknowledged, device)

    def test_cable_unplugged_and_plugged(self):
        receiver = self.receiver()
        device = self.device().start()
        for _ in range(2):
            self.wait_more(receiver.records, 5, device)
            device.unplug()
            last_for(2, device.alive)
            device.plug()
        self.proxy.cut_all()  # what TCP would find out only after minutes
        self.settle(receiver.records, device)

    def test_power_cut_at_random_moments(self):
        receiver = self.receiver()
        device = self.device()
        moments = random.Random(3)
        for _ in range(POWER_CUTS):
            device.start()
            last_for(moments.uniform(0.3, 2.5), device.alive)
            device.kill()
        device.start()
        self.settle(receiver.records, device)


class Small(FirmwareCase):
    """The image with MQTT 3.1.1, the small encoder and no optional part."""

    def test_it_delivers_over_3_1_1_and_through_outages(self):
        self.broker.close()
        self.broker = Broker(extra="log_type notice\n").start()
        self.addCleanup(self.broker.close)
        proxy = Proxy(self.broker.port)
        self.addCleanup(proxy.close)
        receiver = self.receiver()
        device = self.device(proxy.port, image=firmware.SMALL).start()
        self.wait_more(receiver.records, 5, device)
        self.assertGreater(min(self.values(receiver, "dunlin.stack.free")), 512)
        self.broker.kill()
        device.wait_log("disconnected")
        self.broker.start()
        self.wait_more(proxy.acknowledged, 5, device)
        device.kill()
        device.start()
        self.settle(proxy.acknowledged, device)
        with open(os.path.join(self.broker.folder, "log"), encoding="utf-8") as log:
            self.assertRegex(log.read(), r"as fw-1 \(p2,")


class Life(FirmwareCase):
    def test_a_reader_cannot_tell_it_from_another_device(self):
        receiver = self.receiver()
        device = self.device().start()
        self.wait_more(receiver.records, 5, device)
        receiver.wait_last("status", b"online")
        about = wire.About()
        about.ParseFromString(receiver.last("about"))
        self.assertEqual((about.device, about.fleet, about.board), ("fw-1", "test", "lm3s6965evb"))
        free = self.values(receiver, "dunlin.stack.free")
        self.assertGreater(min(free), 512, "the stack is nearly used up")
        device.kill()
        receiver.wait_last("status", b"offline")

    def test_resets_are_reported(self):
        receiver = self.receiver()
        device = self.device().start()
        expected = [0]
        for letter, cause in (("a", 2), ("f", 3), ("w", 1)):
            device.wait_log("connected", len(expected))
            device.press(letter)
            device.wait_log(f"boot reset={cause}")
            expected.append(cause)
        wait_for(lambda: len(set(self.values(receiver, "dunlin.reset.cause"))) == len(expected),
                 lambda: f"four causes:\n{device.log()}")
        self.assertIn("assert ", device.log())
        self.assertIn("fault ", device.log())
        self.settle(receiver.records, device)
        counts = self.values(receiver, "dunlin.reset.count")
        self.assertEqual(sorted(set(counts)), [0, 1, 2, 3])

    def test_without_a_card_it_works_from_ram(self):
        device = self.device(card=False).start()
        device.wait_log("card: none")
        device.wait_log("log formatted")
        self.assertTrue(device.alive())

    def test_what_a_device_without_identity_sampled_is_delivered_later(self):
        receiver = self.receiver()
        device = self.device(provisioned=False).start()
        device.wait_log("not provisioned")
        last_for(11, device.alive)  # a record of what has no identity waits for ten seconds
        device.kill()
        device.provision()
        device.start()
        self.settle(receiver.records, device)
        self.assertIn(1, receiver.records.sequences(receiver.records.streams()[0]))

    def test_a_damaged_provisioning_block_is_refused(self):
        device = self.device()
        with open(device.card, "r+b") as card:
            card.seek(20)
            card.write(b"\xff")
        device.start().wait_log("not provisioned; run tools/make_card error=-4")


if __name__ == "__main__":
    main()
