#!/usr/bin/python3
"""Remote configuration of the firmware: set by `dunlin config`, kept on its card over resets,
rolled back when the broker is not reached.
"""
import unittest

from support.broker import Broker
from support.firmware import Firmware, missing
from support.waiting import main, wait_for
from test_config import DIFFERS, dunlin


@unittest.skipIf(missing(), missing())
class FirmwareConfiguration(unittest.TestCase):
    def setUp(self):
        self.broker = self.enterContext(Broker(persistent=True)).start()

    def report(self):
        _, lines = dunlin(self.broker.port, "get")
        reports = [line for line in lines if line["type"] == "config_report"]
        return reports[0] if reports else {}

    def wait_report(self, **wanted):
        wait_for(lambda: wanted.items() <= self.report().items(),
                 lambda: f"{wanted}, it is {self.report()}")

    def test_kept_over_resets_and_rolled_back(self):
        firmware = self.enterContext(Firmware(self.broker.port)).start()
        self.wait_report(state="local", volatile=False)
        code, lines = dunlin(self.broker.port, "set", "trial=2s", "interval@analog=1s",
                             "batch.points=1000", "dead_band@hw.temperature{hw.id=die}=0.5")
        self.assertEqual((code, lines[-1]["progress"]), (DIFFERS, "partly"))
        self.assertEqual([(s["key"], s["verdict"]) for s in lines[-1]["refused"]],
                         [("batch.points", "out_of_range")])
        self.assertEqual(dunlin(self.broker.port, "set", "batch.points=default")[0], 0)
        self.broker.stop()
        firmware.kill()
        firmware.start()
        wait_for(lambda: firmware.log().count("remote configuration reason=3 value=2") >= 2,
                 firmware.log)
        self.broker.start()
        self.wait_report(state="kept", running=2)
        self.assertEqual(dunlin(self.broker.port, "set", "--no-wait", "batch.age=1s")[0], 0)
        wait_for(lambda: "remote configuration reason=2 value=3" in firmware.log(), firmware.log)
        self.broker.stop()
        wait_for(lambda: "remote configuration reason=4 value=3" in firmware.log(), firmware.log)
        self.broker.start()
        self.wait_report(state="rolled_back", version=3, running=2)

    def test_a_device_may_be_left_alone(self):
        firmware = self.enterContext(Firmware(self.broker.port, remote=0)).start()
        wait_for(lambda: "\nconnected" in firmware.log(), firmware.log)
        self.assertEqual(dunlin(self.broker.port, "set", "-W", "2", "interval=1s")[0], 1)
        self.assertEqual(self.report(), {})


if __name__ == "__main__":
    main()
