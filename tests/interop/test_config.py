#!/usr/bin/python3
"""Remote configuration end to end: `dunlin config` on one side of a real Mosquitto, agents on the
other. What is set is in force, or told why not; it survives kills, and goes by itself when the
broker is not reached.
"""
import json
import os
import random
import subprocess
import time
import unittest

import paho.mqtt.client as mqtt

from support.agent import BUILD, WASMTIME, Agent
from support.broker import Broker
from support.waiting import last_for, main, wait_for

ROOT = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..")
HERE, NATIVE = (os.path.join(folder, "dunlin") for folder in
                (BUILD, os.path.join(ROOT, "build", "linux")))
DUNLIN = HERE if os.path.exists(HERE) else NATIVE
DIFFERS = 9
KILLS = int(os.environ.get("DUNLIN_CONFIG_KILLS", "4"))


def dunlin(port, command, *arguments, wait=60):
    """Runs `dunlin config`: (exit code, its JSON lines)."""
    result = subprocess.run(
        [DUNLIN, "config", command, "-L", f"mqtt://127.0.0.1:{port}/dunlin/test/+", "-W",
         str(wait), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        check=False)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    return result.returncode, lines


def publish(port, payload, device="bird-1"):
    client = mqtt.Client()
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.publish(f"dunlin/test/{device}/config", payload, 1, True).wait_for_publish()
    client.disconnect()
    client.loop_stop()


@unittest.skipUnless(os.path.exists(DUNLIN), "the dunlin command was not built")
class RemoteConfiguration(unittest.TestCase):
    def setUp(self):
        self.broker = self.enterContext(Broker(persistent=True)).start()

    def agent(self, device="bird-1", **remote):
        settings = {"remote": {"trial": "1s", **remote}}
        return self.enterContext(Agent(self.broker.port, device, sensors=2, settings=settings))

    def report(self, device="bird-1"):
        _, lines = dunlin(self.broker.port, "get", device)
        reports = [line for line in lines if line["type"] == "config_report"]
        return reports[0] if reports else {}

    def wait_report(self, device="bird-1", **wanted):
        wait_for(lambda: wanted.items() <= self.report(device).items(),
                 lambda: f"{wanted}, it is {self.report(device)}")

    @staticmethod
    def document(key, value):
        """One setting, whose value is two bytes of a varint."""
        setting = b"\x0a" + bytes([len(key)]) + key.encode() + b"\x18" + bytes(
            [value * 2 & 0x7f | 0x80, value * 2 >> 7])
        return b"\x12" + bytes([len(setting)]) + setting

    def set(self, *arguments):
        return dunlin(self.broker.port, "set", *arguments)

    def test_set_get_and_diff(self):
        agent = self.agent().start()
        self.wait_report(state="local")
        code, lines = self.set("bird-1", "interval@s0=300ms", "batch.age=2s")
        self.assertEqual((code, lines[-1]["progress"], lines[-1]["version"]), (0, "applied", 1))
        report = self.report()
        self.assertEqual((report["state"], report["running"]), ("kept", 1))
        self.assertEqual([(s["key"], s["value"], s["verdict"]) for s in report["settings"]],
                         [("batch.age", 2000, "applied"), ("interval", 300, "applied")])
        self.assertEqual(dunlin(self.broker.port, "diff"), (0, []))
        self.assertEqual(self.set("batch.age=2s")[1][-1]["version"], 1, "it was set already")
        # In force after a kill, while the broker is away.
        agent.kill()
        self.broker.stop()
        agent.start()
        wait_for(lambda: agent.log().count('"remote configuration in force" version=1') == 2,
                 agent.log)
        self.broker.start()
        code, _ = self.set("bird-1", "--replace")
        self.assertEqual(code, 0)
        self.assertEqual(self.report()["settings"], [])

    def test_what_is_refused_is_told_a_key_at_a_time(self):
        self.agent(allow="interval, batch.age, trial").start()
        self.wait_report(state="local")
        code, lines = self.set("interval=1ms", "batch.bytes=512")
        self.assertEqual((code, lines[-1]["progress"]), (DIFFERS, "partly"))
        self.assertEqual([(s["key"], s["verdict"]) for s in lines[-1]["refused"]],
                         [("batch.bytes", "withheld"), ("interval", "out_of_range")])
        code, lines = dunlin(self.broker.port, "diff")
        self.assertEqual(code, DIFFERS)
        by_key = {s["key"]: s for s in lines[-1]["settings"]}
        self.assertEqual((by_key["interval"]["low"], by_key["interval"]["high"]), (100, 86400000))

    def test_it_is_rolled_back_when_the_broker_is_not_reached(self):
        agent = self.agent().start()
        self.wait_report(state="local")
        self.assertEqual(self.set("batch.age=2s")[0], 0)
        publish(self.broker.port, b"\x08\x05")
        agent.wait_log('on trial" version=5')
        self.broker.stop()
        agent.wait_log("the broker was not reached with this remote configuration")
        self.broker.start()
        for _ in range(2):  # and again after a start
            self.wait_report(state="rolled_back", version=5, running=1)
            self.assertEqual(len(self.report()["settings"]), 1)
            agent.kill()
            agent.start()
            agent.wait_log("connected to the broker")
        code, lines = self.set("--no-wait", "batch.age=3s")
        self.assertEqual((code, lines[-1]["version"]), (0, 6))
        self.wait_report(state="kept", running=6)

    def test_what_cannot_be_taken_changes_nothing(self):
        agent = self.agent(allow="all")
        agent.settings["broker"]["version"] = "3.1.1"  # whose broker sends it, however large
        agent.start()
        self.wait_report(state="local")
        self.assertEqual(self.set("batch.age=2s")[0], 0)
        size = self.report()["size_max"]
        drops = agent.log().count("no connection")
        publish(self.broker.port, b"\x08\x09" + b"\x12\x00" * (size // 2 + 1))
        self.wait_report(refusal="too_large", running=1)
        publish(self.broker.port, b"\x08\x02" + self.document("batch.age", 2000))
        self.wait_report(refusal=None, running=2)
        publish(self.broker.port, b"\x08\x09" + b"\x12\x00" * 100000)
        self.wait_report(refusal="too_large", running=2)
        publish(self.broker.port, b"\x08\x09\x12\x7f")
        self.wait_report(refusal="malformed", running=2)
        publish(self.broker.port, b"\x08\x00")
        self.wait_report(refusal="malformed", refused=None, running=2)
        publish(self.broker.port, b"\x08\x03")
        self.wait_report(refusal=None, running=3)
        publish(self.broker.port, b"\x08\x01")
        self.wait_report(refusal="old", refused=1, running=3)
        self.assertEqual(agent.log().count("no connection"), drops, agent.log())
        publish(self.broker.port, b"")
        self.wait_report(state="local", running=None, version=None)

    def test_a_device_may_be_left_alone(self):
        agent = self.agent(use="no").start()
        agent.wait_log("connected to the broker")
        publish(self.broker.port, b"\x08\x01")
        last_for(0.5)
        self.assertEqual(self.report(), {})
        self.assertNotIn("remote configuration", agent.log())

    def test_a_fleet_is_set_at_once(self):
        devices = [f"bird-{index}" for index in range(1, 5)]
        agents = [self.agent(device).start() for device in devices]
        for device in devices:
            self.wait_report(device, state="local")
        code, lines = self.set("bird-[123]", "batch.age=2s")
        self.assertEqual(code, 0)
        final = {line["device"]: line["progress"] for line in lines}
        self.assertEqual(final, {device: "applied" for device in devices[:3]})
        listed = os.path.join(agents[0].folder, "devices")
        with open(listed, "w", encoding="ascii") as file:
            file.write("# two of them\nbird-3\nbird-4\n")
        code, lines = self.set("--devices", listed, "batch.age=3s")
        self.assertEqual((code, {line["device"] for line in lines}), (0, {"bird-3", "bird-4"}))
        self.assertEqual([self.report(device)["running"] for device in devices], [1, 1, 2, 1])
        agents[3].kill()
        code, lines = dunlin(self.broker.port, "set", "bird-4", "batch.age=4s", wait=2)
        self.assertEqual((code, lines[-1]["progress"]), (1, "waiting"))

    def test_kills_leave_a_whole_document(self):
        agent = self.agent().start()
        self.wait_report(state="local")
        seed = random.randrange(1 << 32)
        chance = random.Random(seed)
        for version in range(1, KILLS + 1):
            self.set("--no-wait", f"batch.age={version}s")
            time.sleep(chance.random() * 0.4)  # which moment is killed is what is tested
            agent.kill()
            agent.start()
        self.wait_report(running=KILLS)
        self.assertEqual(self.report()["settings"][0]["value"], KILLS * 1000, f"seed {seed}")
        self.assertNotIn("malformed", agent.log())


if __name__ == "__main__":
    main()
