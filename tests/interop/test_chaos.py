#!/usr/bin/python3
"""Broker, recorders and a tenth of the devices killed at random, again and again; in the end the
audit is complete and no device holds anything back.

DUNLIN_CHAOS: seconds (default 12; 3600 is the hour of the README). DUNLIN_CHAOS_SEED replays the
choice of victims, as far as processes can be replayed. DUNLIN_CHAOS_DEVICES, DUNLIN_CHAOS_DATABASE
(sqlite; postgres has two recorders that share the load).
"""
import contextlib
import os
import random
import time
import unittest

from support.agent import Agent
from support.broker import Broker
from support.record import Record, audit, count, databases
from support.waiting import last_for, main, wait_for

SECONDS = float(os.environ.get("DUNLIN_CHAOS", "12"))
SEED = int(os.environ.get("DUNLIN_CHAOS_SEED", "0")) or random.randrange(1, 1 << 32)
DEVICES = int(os.environ.get("DUNLIN_CHAOS_DEVICES", "10"))
DATABASE = os.environ.get("DUNLIN_CHAOS_DATABASE", "sqlite")
SETTINGS = {"send": {"ack": "stored", "stored_wait": "1s"}, "batch": {"points": 20, "age": "300ms"},
            "log": {"size": "16M"}}


class Chaos(unittest.TestCase):
    def setUp(self):
        self.rng = random.Random(SEED)
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.kills = {"broker": 0, "recorder": 0, "device": 0}

    def start(self):
        made = dict(databases())
        if DATABASE not in made:
            self.skipTest(f"{DATABASE} cannot be had here")
        self.database = self.stack.enter_context(made[DATABASE]())
        self.broker = self.stack.enter_context(Broker()).start()
        shared = DATABASE == "postgres"
        self.recorders = [
            self.stack.enter_context(Record(self.broker.port, self.database.url,
                                            *(["--share", "chaos"] if shared else []),
                                            client_id=f"recorder-{i}"))
            for i in range(2 if shared else 1)]
        self.agents = [
            self.stack.enter_context(Agent(self.broker.port, f"bird-{i}", sensors=4,
                                           settings=SETTINGS)).start() for i in range(DEVICES)]

    def a_round(self):
        """Who dies now, and comes back a moment later."""
        victims = [(name, who) for name, who, chance in
                   (("broker", self.broker, 0.4),
                    *(("recorder", recorder, 0.5) for recorder in self.recorders))
                   if self.rng.random() < chance]
        victims += [("device", agent)
                    for agent in self.rng.sample(self.agents, max(1, DEVICES // 10))]
        self.rng.shuffle(victims)
        for name, who in victims:
            who.kill()
            self.kills[name] += 1
        last_for(self.rng.choice([0, 0.05, 0.5]))
        for name, who in victims[::-1]:
            if name == "recorder":
                who.start(wait=False)
            else:
                who.start()

    def test_audit_is_complete_in_the_end(self):
        print(f"seed {SEED}, {DATABASE}, {DEVICES} devices, {SECONDS:g} s")
        self.start()
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            last_for(self.rng.uniform(0.1, 1.5))
            self.a_round()
        before = count(self.database)
        wait_for(lambda: count(self.database) > before, self.recorders[0].log)
        for agent in self.agents:
            self.assertEqual(agent.terminate(), 0, agent.log())
            # With ack = stored nothing waits only if the recorder told that it has all of it.
            self.assertRegex(agent.log().splitlines()[-1], "ended.* backlog=0 .*lost_points=0")
        code, streams, verdict, errors = audit("--db", self.database.url)
        self.assertEqual((code, verdict["missing"], verdict["lost"], verdict["altered"]),
                         (0, 0, 0, 0), f"{streams} {errors}")
        self.assertEqual(len(streams), DEVICES)
        print(f"killed: {self.kills}; {verdict['records']} records, {verdict['points']} points, "
              f"{verdict['duplicates']} duplicates, audit complete")


if __name__ == "__main__":
    main()
