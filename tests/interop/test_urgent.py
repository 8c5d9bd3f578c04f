#!/usr/bin/python3
"""Urgent samples: a sensor crosses its limit during an outage, and while a backlog drains slowly.

Nothing but its count of points seals a record here, or a crossing: then the crossing is the newest
point in it.
"""
import unittest

from support import wire
from support.agent import Agent, finish
from support.broker import Broker
from support.proxy import Proxy
from support.receiver import Receiver
from support.waiting import last_for, main, wait_for

POINTS = 24  # a record; the sensors give about a hundred a second
OUTAGE_S = 4
SAMPLED_S = 1  # by then the sensor was read
LIMIT = {"metric": "test.sensor.0", "attributes": "site=north", "low": "-0.5", "high": "1999.5"}


class Urgent(unittest.TestCase):
    def setUp(self):
        broker = self.enterContext(Broker()).start()
        self.proxy = self.enterContext(Proxy(broker.port, refusing=True))
        self.agent = self.enterContext(Agent(self.proxy.port, settings={
            "batch": {"points": POINTS, "age": "1h"}, "send": {"backfill_rate": "40"},
            "limit hot": LIMIT, "limit wrong": {"metric": "test.sensors", "high": "1"}}))
        self.agent.settings["file s0"].update(attributes="rack=1, site=north", decimals=1)
        self.receiver = self.enterContext(Receiver(broker.port))

    def holding(self, value):
        """(batch, sequences that came before it) of the first record to come with this value."""
        before = set()
        with self.receiver.lock:
            for key in self.receiver.records.arrivals:
                batch = self.receiver.records.batches[key]
                if value in [scaled for _, _, scaled in wire.points(batch)]:
                    return batch, before
                before.add(batch.sequence)
        return None

    def give(self, tenths):
        with open(self.agent.sensor_path(0), "w", encoding="ascii") as file:
            file.write(f"{tenths / 10}\n")

    def record_of(self, tenths):
        """Lets sensor 0 give this value and waits for the record."""
        self.give(tenths)
        return self.wait_holding(tenths)

    def wait_holding(self, tenths):
        return wait_for(lambda: self.holding(tenths),
                        lambda: f"{tenths} to arrive:\n{self.agent.log()}")

    def assert_first(self, tenths):
        """It was recorded without a connection, and nothing went before it but what is fresh."""
        batch, before = self.wait_holding(tenths)
        self.assertGreater(batch.sequence, 4, "there was no backlog")
        self.assertFalse([sequence for sequence in before if sequence < batch.sequence])

    def assert_urgent(self, tenths):
        batch, before = self.record_of(tenths)
        waiting = set(range(1, batch.sequence)) - before
        self.assertGreater(len(waiting), 4, "it did not overtake")
        rows = list(wire.points(batch))
        newest = max(uptime for _, uptime, _ in rows)
        self.assertIn(tenths, [scaled for _, uptime, scaled in rows if uptime == newest],
                      "it waited for others to fill its record")

    def test_a_crossing_overtakes_the_backlog(self):
        self.agent.start()
        last_for(OUTAGE_S, self.agent.alive)
        self.give(-20)
        last_for(SAMPLED_S, self.agent.alive)
        self.proxy.listen()
        self.assert_first(-20)
        self.assert_urgent(20000)
        batch, _ = self.record_of(50000)  # farther out: it crosses nothing
        self.assertGreaterEqual(len(list(wire.points(batch))), POINTS)
        self.assert_urgent(15000)
        self.assert_urgent(-10)

        self.assertIn('msg="this limit fits no metric so far" limit=wrong', self.agent.log())
        self.assertNotIn("limit=hot", self.agent.log())
        self.agent.kill()
        self.agent.settings["send"]["backfill_rate"] = "0"
        count = self.receiver.records.count()
        self.agent.start()
        wait_for(lambda: self.receiver.records.count() > count, self.agent.log)
        finish(self, self.agent, self.receiver.records)
        self.receiver.records.check(self, lanes=3)
        print(self.receiver.records.summary())


if __name__ == "__main__":
    main()
