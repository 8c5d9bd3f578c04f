#!/usr/bin/python3
"""The agent's life and death: killed at any moment, ended in order, started twice."""
import random
import subprocess
import tempfile
import unittest

from support.agent import DAEMON, WASI_HOST, Agent, finish, program
from support.broker import Broker
from support.broker_stub import Stub
from support.receiver import Receiver
from support.waiting import last_for, main, wait_for

KILLS = 12


class AgentKilled(unittest.TestCase):
    def setUp(self):
        self.broker = Broker().start()
        self.addCleanup(self.broker.close)
        self.receiver = Receiver(self.broker.port)
        self.addCleanup(self.receiver.__exit__)
        self.agent = Agent(self.broker.port)
        self.addCleanup(self.agent.__exit__)

    def test_killed_repeatedly(self):
        moments = random.Random(1)
        for _ in range(KILLS):
            self.agent.start()
            self.receiver.wait_count(self.receiver.records.count() + 5)
            last_for(moments.uniform(0, 0.15))
            self.agent.kill()
        self.agent.start()
        self.receiver.wait_count(self.receiver.records.count() + 5)
        finish(self, self.agent, self.receiver.records)
        self.receiver.records.check(self)
        self.assertEqual(len(self.receiver.records.streams()), 1)
        print(self.receiver.records.summary())

    def test_killed_before_anything_was_delivered(self):
        self.agent.settings["broker"]["port"] = 1
        moments = random.Random(2)
        for _ in range(KILLS):
            self.agent.start()
            last_for(moments.uniform(0.05, 0.6))
            self.agent.kill()
        self.agent.settings["broker"]["port"] = self.broker.port
        self.agent.start()
        self.receiver.wait_count(40)
        finish(self, self.agent, self.receiver.records)
        self.receiver.records.check(self)
        self.assertEqual(len(self.receiver.records.streams()), 1)

    def test_the_will_tells(self):
        self.agent.start()
        self.receiver.wait_last("status", b"online")
        self.agent.kill()
        self.receiver.wait_last("status", b"offline")

    @unittest.skipUnless(WASI_HOST, "only where nothing can be locked")
    def test_a_second_agent_takes_the_folder(self):
        self.agent.start()
        self.receiver.wait_count(5)
        first = self.agent.process
        self.agent.process = None
        self.agent.start()
        self.assertEqual(first.wait(60), 1)
        self.assertIn("another agent took this state folder", self.agent.log())
        self.receiver.wait_count(self.receiver.records.count() + 5)
        finish(self, self.agent, self.receiver.records)
        self.receiver.records.check(self)

    @unittest.skipIf(WASI_HOST, "WASI has no locks")
    def test_a_second_agent_is_refused(self):
        self.agent.start()
        self.receiver.wait_count(1)
        second = subprocess.run([program(DAEMON), "-c", self.agent.config], text=True,
                                capture_output=True, timeout=60, check=False)
        self.assertNotEqual(second.returncode, 0)
        self.assertIn(str(self.agent.process.pid), second.stderr)
        self.receiver.wait_count(self.receiver.records.count() + 5)
        finish(self, self.agent, self.receiver.records)
        self.receiver.records.check(self)


class AgentEnds(unittest.TestCase):
    def test_drains_and_says_goodbye(self):
        with Broker() as broker, Receiver(broker.start().port) as receiver, \
                Agent(broker.port, settings={"batch": {"age": "60s", "points": 64}}) as agent:
            agent.start()
            receiver.wait_last("status", b"online")
            last_for(0.5, agent.alive)  # points that no batch holds yet
            self.assertEqual(agent.terminate(), 0, agent.log())
            receiver.wait_last("status", b"offline")
            self.assertGreater(receiver.records.point_count(), 16)
            receiver.records.check(self)

    def test_delivers_a_backlog_before_it_ends(self):
        with tempfile.TemporaryDirectory() as folder, Stub(folder) as stub, \
                Agent(stub.port) as agent:
            agent.start()
            last_for(3, agent.alive)
            stub.start("--ack-delay-ms", "2")
            wait_for(lambda: stub.payloads("status"), agent.log)
            self.assertEqual(agent.terminate(), 0, agent.log())
            self.assertEqual(stub.payloads("status")[-1], b"offline")
            self.assertGreater(len(stub.payloads()), 60)

    def test_an_orderly_end_repeats_nothing(self):
        with Broker() as broker, Receiver(broker.start().port) as receiver, \
                Agent(broker.port) as agent:
            agent.start()
            receiver.wait_count(30)
            finish(self, agent, receiver.records)
            receiver.records.check(self)
            self.assertEqual(receiver.records.duplicates(), 0)

    def test_ends_in_time_without_a_broker(self):
        with Agent(1, settings={"agent": {"drain": "1s"}}) as agent:
            agent.start()
            last_for(0.5, agent.alive)
            self.assertEqual(agent.terminate(), 0, agent.log())


if __name__ == "__main__":
    main()
