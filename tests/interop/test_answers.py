#!/usr/bin/python3
"""What a broker of MQTT 5 answers, end to end: dunlind with a stub that says what Mosquitto does
not, and with a Mosquitto whose access list and limits make it say it.
"""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
from support import wire  # noqa: E402
from support.agent import Agent, finish, program  # noqa: E402
from support.broker import Broker  # noqa: E402
from support.broker_stub import Stub  # noqa: E402
from support.receiver import Receiver  # noqa: E402
from support.waiting import DEADLINE_S, free_port, main, wait_for  # noqa: E402


def points_max():
    """What the profile of this build lets a record hold."""
    with open(program(os.path.join("profile", "profile.h")), encoding="utf-8") as profile:
        return int(re.search(r"DUN_PROFILE_POINTS_MAX\s+(\d+)", profile.read()).group(1))


def rejected(state, *words):
    """What `dunlin log --rejected` shows, as objects."""
    command = [program("dunlin"), "log", "--format", "json", "--rejected", *words, state]
    done = subprocess.run(command, capture_output=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


class Quarantine(unittest.TestCase):
    def test_what_a_schema_check_refuses(self):
        """Every tenth record is answered with 131. The others arrive, each of these is told with
        that code, and its points can still be read on the device."""
        with tempfile.TemporaryDirectory() as folder, \
                Stub(folder, "--refuse", "131", "--refuse-every", "10", "--aliases", "4") as stub, \
                Agent(stub.port) as agent:
            stub.start()
            agent.start()
            wait_for(lambda: len(stub.payloads()) > 40, agent.log)
            self.assertEqual(agent.terminate(), 0, agent.log())
            batches = [wire.Batch.FromString(payload) for payload in stub.payloads()]
            arrived = {batch.sequence for batch in batches}
            told = {sequence: loss.code for batch in batches for loss in batch.losses
                    for sequence in range(loss.first, loss.last + 1)}
            self.assertGreater(len(told), 3)
            self.assertEqual(set(told.values()), {131})
            self.assertIn('it is in quarantine" sequence=9 reason=131', agent.log())
            shown = rejected(agent.state)
            codes = {line["seq"]: line["code"] for line in shown if line["type"] == "rejected"}
            self.assertLessEqual(set(told), set(codes))
            self.assertEqual({sequence % 10 for sequence in codes}, {9})
            self.assertEqual(arrived | set(codes), set(range(1, max(arrived | set(codes)) + 1)))
            self.assertEqual(set(codes.values()), {131})
            self.assertEqual([line["seq"] for line in shown if line["type"] == "record"],
                             sorted(codes))
            points = [line for line in rejected(agent.state, "--points")
                      if line["type"] == "point"]
            self.assertTrue(points)
            self.assertLessEqual({line["seq"] for line in points}, set(codes))
            self.assertTrue(all(line["metric"].startswith("test.sensor.") for line in points))

    def test_an_access_list(self):
        """Mosquitto denies the records: version 5 hears so, and nothing is thrown away in haste."""
        with tempfile.TemporaryDirectory() as folder:
            rules = os.path.join(folder, "acl")
            with open(rules, "w", encoding="ascii") as stream:
                stream.write("topic readwrite dunlin/test/bird-1/status\n"
                             "topic deny dunlin/test/bird-1/batch\n")
            os.chmod(rules, 0o644)
            os.chmod(folder, 0o755)
            with Broker(f"acl_file {rules}\n") as broker, Agent(broker.start().port) as agent:
                agent.start()
                agent.wait_log("it is in quarantine")
                agent.wait_log("sending pauses\" reason=135")
                self.assertIn("reason=135", agent.log())
                agent.kill()
                self.assertTrue(rejected(agent.state))


class Limits(unittest.TestCase):
    def through(self, extra, settings):
        with Broker(extra) as broker, Receiver(broker.start().port, "dunlin/#") as receiver, \
                Agent(broker.port, settings=settings) as agent:
            agent.start()
            receiver.wait_count(30)
            finish(self, agent, receiver.records)
            receiver.records.check(self)
            return agent.log(), receiver.records

    def test_records_are_made_to_fit(self):
        """They would have a kilobyte; Mosquitto takes packets of 500 bytes."""
        log, records = self.through("max_packet_size 500\n",
                                    {"batch": {"points": min(500, points_max()), "age": "600ms"}})
        self.assertNotIn("quarantine", log)
        sizes = [len(payload) for payload in records.bytes.values()]
        self.assertLess(max(sizes), 500)
        self.assertGreater(max(sizes), 250 if points_max() > 500 else 50)

    def test_the_broker_says_too_large_only_afterwards(self):
        """message_size_limit is not announced: PUBACK 0x95, for a record each now and then."""
        with Broker("message_size_limit 250\n") as broker, \
                Receiver(broker.start().port, "dunlin/#") as receiver, \
                Agent(broker.port, settings={"batch": {"points": 60, "age": "1s"}}) as agent:
            agent.start()
            agent.wait_log("it is in quarantine")
            self.assertRegex(agent.log(), r"in quarantine\" sequence=\d+ reason=149")
            self.assertTrue(agent.alive())
            self.assertIn(" connected to the broker", " " + agent.log().replace('"', " "))
            agent.kill()


class Routes(unittest.TestCase):
    def test_a_broker_that_hangs_up_gets_3_1_1(self):
        with tempfile.TemporaryDirectory() as folder, Stub(folder, "--hangs-up") as stub, \
                Agent(stub.port) as agent:
            stub.start()
            agent.start()
            wait_for(lambda: len(stub.payloads()) > 20, agent.log)
            self.assertEqual(agent.terminate(), 0)
            self.assertEqual(agent.log().count("the broker refuses MQTT 5"), 1, agent.log())

    def test_a_redirect_is_followed_and_left_again(self):
        with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second, \
                Stub(second) as other, \
                Stub(first, "--redirect", f"127.0.0.1:{other.port}") as home, \
                Agent(home.port) as agent:
            other.start()
            home.start()
            agent.start()
            wait_for(lambda: len(other.payloads()) > 20, agent.log)
            self.assertIn(f"sends us to another one\" host=127.0.0.1 port={other.port}",
                          agent.log())
            other.kill()
            agent.wait_log("going back to the configured broker")
            home.kill()
            home.options = ()
            home.start()
            wait_for(lambda: len(home.payloads()) > 20, agent.log)
            self.assertEqual(agent.terminate(), 0)

    def test_who_shall_not_follow_does_not(self):
        with tempfile.TemporaryDirectory() as folder, \
                Stub(folder, "--redirect", f"127.0.0.1:{free_port()}") as home, \
                Agent(home.port, settings={"broker": {"redirects": "ignore"}}) as agent:
            home.start()
            agent.start()
            agent.wait_log("reason=156")
            self.assertNotIn("sends us", agent.log())


if __name__ == "__main__":
    main()
