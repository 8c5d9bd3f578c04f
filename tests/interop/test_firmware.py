#!/usr/bin/python3
"""The firmware on an emulated Cortex-M3: the outages of the other agents, power cuts, faults, the
clock, what it measures, and both of its images.

DUNLIN_POWER_CUTS=N cuts the power so many times (default 12).
"""
import json
import os
import random
import subprocess
import time
import unittest

from support import firmware, wire
from support.agent import Agent, program
from support.broker import Broker
from support.firmware import BROKER_OF_GUEST, Firmware
from support.neighbour import ADDRESS, DEVICE, DHCP, DNS, HARDWARE, TIME, Neighbour
from support.proxy import Fault, Proxy
from support.receiver import Receiver, Recorder
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

    def values(self, receiver, metric, attribute=None):
        """All values of a metric (with such an attribute), by the device's catalog, in the order of
        their records."""
        catalog = wire.Catalog()
        with receiver.lock:
            found = [payload for topic, payload, _ in receiver.messages
                     if topic.endswith("/catalog")]
            batches = [batch for _, batch in sorted(receiver.records.batches.items())]
        if not found:
            return []
        catalog.ParseFromString(found[-1])
        ids = [i for i, entry in enumerate(catalog.metrics)
               if entry.name == metric
               and attribute in (None, *(one.value for one in entry.attributes))]
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

    def test_half_open_link(self):
        """Nothing more comes and nobody says so: only the keepalive finds it."""
        receiver = self.receiver()
        self.proxy.plan.put(Fault(hold_up_after=6000))
        self.proxy.plan.put(Fault(hold_down_after=60))
        device = self.device(keepalive=4).start()
        wait_for(lambda: self.proxy.accepted >= 3 or device._must_live(), device.log)
        self.settle(receiver.records, device)

    def test_only_what_is_stored_is_forgotten(self):
        """ack = stored: a killed broker forgets what it acknowledged, and nothing is missing."""
        with Recorder(self.broker.port) as recorder:
            device = self.device(ack="stored", stored_wait_ms=1000).start()
            for _ in range(3):
                self.wait_more(recorder.records, 10, device)
                self.broker.kill()
                self.broker.start()
            self.wait_more(recorder.records, 10, device)
            wait_for(lambda: not any(map(recorder.records.missing, recorder.records.streams())),
                     device.log)
            recorder.records.check(self, lanes=0)


class Wire(FirmwareCase):
    FRAMES = 4000

    def test_hostile_frames(self):
        """Frames of the wire, mutated, cut and made longer: the device goes on without a reset."""
        receiver = self.receiver()
        neighbour = self.enterContext(Neighbour())
        device = self.device(neighbour=neighbour, ntp=ADDRESS).start()
        self.wait_more(receiver.records, 10, device)
        dice = random.Random(7)
        heard = list(neighbour.heard)
        target = next(frame[6:12] for frame in heard if frame[6:12] != HARDWARE)
        for count in range(self.FRAMES):
            frame = bytearray(dice.choice(heard))
            frame[:6] = target if dice.random() < 0.9 else b"\xff" * 6
            for _ in range(dice.randrange(8)):
                frame[dice.randrange(6, len(frame))] = dice.randrange(256)
            size = dice.choice((len(frame), dice.randrange(1, len(frame)), 60, 1514, 1600))
            neighbour.send_raw(bytes(frame[:size].ljust(size, b"\xa5")))
            if count % 50 == 0:
                last_for(0.02, device.alive)
        self.settle(receiver.records, device)
        self.assertEqual(device.log().count("boot reset"), 1, device.log())


class Clock(FirmwareCase):
    def test_a_server_dates_what_came_before(self):
        """A name server and a time server that does not know the time yet; then it does."""
        receiver = self.receiver()
        neighbour = self.enterContext(Neighbour({"broker.test": BROKER_OF_GUEST,
                                                 "time.test": ADDRESS}))
        neighbour.time_known = False
        device = self.device(neighbour=neighbour, host="broker.test", ntp="time.test",
                             dns=ADDRESS, address="10.0.2.15", mask="255.255.255.0").start()
        self.wait_more(receiver.records, 3, device)
        wait_for(lambda: neighbour.asked[TIME] or device._must_live(), device.log)
        self.assertEqual({"broker.test", "time.test"}, set(neighbour.asked[DNS]))
        neighbour.time_known = True
        batches = receiver.records.batches
        dated = wait_for(lambda: [b for b in list(batches.values()) if b.anchors]
                         or device._must_live(), device.log)[0]
        self.assertAlmostEqual(dated.anchors[0].unix_ms / 1000, time.time(), delta=5)
        self.settle(receiver.records, device)
        first = next(batch for _, batch in sorted(batches.items()) if any(wire.points(batch)))
        self.assertFalse(first.HasField("boot_unix_ms"))
        times = self._decoded_times(dated, first)
        self.assertLess(max(times), dated.anchors[0].unix_ms)
        self.assertAlmostEqual(min(times) / 1000, time.time(), delta=120)

    def _decoded_times(self, *batches):
        """What `dunlin decode` says of the points of the last one, having read those before."""
        lines = "\n".join(batch.SerializeToString().hex() for batch in batches)
        run = subprocess.run([program("dunlin"), "decode", "--format", "json", "--framing", "hex",
                              "-"], input=lines + "\n", capture_output=True, check=True, text=True)
        self.assertNotIn("no date", run.stderr)
        points = [line for line in map(json.loads, run.stdout.splitlines())
                  if line["type"] == "point"]
        return [point["time"] for point in points if int(point["seq"]) == batches[-1].sequence]

    def test_dhcp_names_the_servers(self):
        neighbour = self.enterContext(Neighbour({"broker.test": "10.0.2.9"}, dhcp=True))
        device = Firmware(None, neighbour=neighbour, host="broker.test")
        self.addCleanup(device.__exit__)
        device.start()
        wait_for(lambda: neighbour.asked[TIME] or device._must_live(), device.log)
        device.wait_log("clock")
        self.assertEqual(neighbour.asked[DHCP][:2], [1, 3])
        wait_for(lambda: "broker.test" in neighbour.asked[DNS], "the name of the broker")
        self.assertTrue(DEVICE.startswith("10.0.2."))


class Measuring(FirmwareCase):
    def test_a_thermometer_on_the_bus(self):
        receiver = self.receiver()
        device = self.device(thermometer=True).start()
        self.wait_more(receiver.records, 2, device)
        for millidegrees, value in ((25000, 250000), (-10500, -105000), (63938, 639375)):
            device.set_temperature(millidegrees)
            wait_for(lambda v=value: v in self._temperatures(receiver) or device._must_live(),
                     lambda v=value: f"{v} among {set(self._temperatures(receiver))}")
        self.assertNotIn("thermometer: none", device.log())

    def _temperatures(self, receiver):
        return self.values(receiver, "hw.temperature", "board")

    def test_what_it_measures_of_itself(self):
        receiver = self.receiver()
        device = self.device().start()
        device.wait_log("thermometer: none")
        self.wait_more(receiver.records, 10, device)
        used = self.values(receiver, "system.memory.usage")
        limit = self.values(receiver, "system.memory.limit")
        self.assertEqual(set(limit), {64 * 1024})
        self.assertTrue(all(16 * 1024 < value < 64 * 1024 for value in used), used)
        packets = "system.network.packet.count"
        for metric in ((packets, "receive"), (packets, "transmit"), ("dunlin.link.acked",)):
            counts = self.values(receiver, *metric)
            self.assertLess(counts[0], counts[-1], metric)
        self.assertEqual(self.values(receiver, "dunlin.interface.up")[-1], 1)
        # The emulated converter says 0x200 and noise: 34.9 degrees.
        self.assertTrue(all(300 < value < 360
                            for value in self.values(receiver, "hw.temperature", "die")))

    def test_the_led_tells_what_is_wrong(self):
        for options, flashes in (({"card": False}, 2), ({"provisioned": False}, 3)):
            with self.subTest(flashes), Firmware(None, neighbour=self.enterContext(Neighbour()),
                                                 **options) as device:
                device.start().wait_log("log formatted")
                self.assertEqual(self._flashes(device), flashes)

    @staticmethod
    def _flashes(device):
        """How often the LED flashes between two pauses."""
        seen = []  # (when, on) of each change
        def changes():
            on = device.led()
            if not seen or seen[-1][1] != on:
                seen.append((time.monotonic(), on))
            pauses = [i for i in range(1, len(seen)) if seen[i][1]
                      and seen[i][0] - seen[i - 1][0] > 0.6]
            return pauses[:2] if len(pauses) > 1 else None
        first, second = wait_for(changes, lambda: f"two pauses in {seen}")
        return (second - first) // 2


class InRam(FirmwareCase):
    """The image without a card."""

    def test_its_log_outlives_a_reset(self):
        self.broker.kill()
        device = self.device(in_ram=True).start()
        device.wait_log("disconnected")
        last_for(1, device.alive)
        device.press("a")
        device.wait_log("boot reset=2")
        device.wait_log("memory: the log of before the reset")
        self.broker.start()
        receiver = self.receiver()
        self.wait_more(receiver.records, 5, device)
        self.settle(receiver.records, device)
        boots = {batch.boot for batch in receiver.records.batches.values()}
        self.assertEqual(len(boots), 2)
        self.assertIn(1, receiver.records.sequences(receiver.records.streams()[0]))
        self._says_volatile(receiver)

    def test_a_power_cut_begins_a_new_stream(self):
        receiver = self.receiver()
        device = self.device(in_ram=True).start()
        for count in range(1, 4):
            wait_for(lambda c=count: len(receiver.records.streams()) == c or device._must_live(),
                     device.log)
            self.wait_more(receiver.records, 5, device)
            device.kill()
            device.start()
        receiver.records.check(self)

    def test_without_an_identity_it_samples(self):
        device = self.device(in_ram=True, provisioned=False).start()
        device.wait_log("provisioning block: not provisioned; run tools/make_card error=-7")
        device.wait_log("log formatted")

    def _says_volatile(self, receiver):
        about = wire.About()
        about.ParseFromString(receiver.last("about"))
        self.assertTrue(about.volatile_stream)


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
    def test_watch_cannot_tell_it_from_a_linux_device(self):
        """The same kinds of lines with the same fields; only `about` tells the board."""
        device = self.device().start()
        agent = self.enterContext(Agent(self.broker.port))
        agent.start()
        self.wait_more(self.proxy.acknowledged, 5, device)
        run = subprocess.run([program("dunlin"), "watch", "-h", "127.0.0.1", "-p",
                              str(self.broker.port), "--format", "json", "-W", "4"],
                             capture_output=True, check=False, timeout=60)
        shapes = {"fw-1": {}, "bird-1": {}}
        for line in run.stdout.splitlines():
            line = json.loads(line)
            if line.get("device") in shapes:
                shapes[line["device"]].setdefault(line["type"], set()).update(line)
        of_firmware, of_linux = shapes["fw-1"], shapes["bird-1"]
        for kind in ("about", "metric", "point", "status"):
            self.assertIn(kind, of_firmware)
        optional = {"attributes", "states", "state", "time"}
        for kind, fields in of_firmware.items():
            self.assertEqual(fields - optional, of_linux[kind] - optional, kind)

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
