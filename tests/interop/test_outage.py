#!/usr/bin/python3
"""The broker is away: from the start, killed again and again, killed between store and answer.

DUNLIN_OUTAGE sets the seconds of the first outage (default 6; 60 is the promise of the README).
"""
import os
import tempfile
import unittest

from support.agent import Agent, finish
from support.broker import Broker
from support.broker_stub import Stub
from support.proxy import Proxy
from support.receiver import Receiver
from support.records import Records
from support.waiting import last_for, main, wait_for

OUTAGE_S = float(os.environ.get("DUNLIN_OUTAGE", "6"))
KILLS = 8


class BrokerAway(unittest.TestCase):
    def test_down_from_the_start(self):
        with Broker() as broker:
            broker.start()
            with Proxy(broker.port, refusing=True) as proxy, Agent(proxy.port) as agent, \
                    Receiver(broker.port) as receiver:
                agent.start()
                last_for(OUTAGE_S, agent.alive)
                proxy.listen()
                receiver.wait_count(int(OUTAGE_S * 30))
                finish(self, agent, receiver.records)
                receiver.records.check(self)
                print(receiver.records.summary())

    def test_fresh_records_do_not_wait_behind_the_backlog(self):
        """With lanes (the default) and a slow backfill, a record taken after the outage comes long
        before the outage's last one; both lanes keep their order, and nothing is missing."""
        settings = {"send": {"order": "lanes", "backfill_rate": "2K"}}
        with Broker() as broker:
            broker.start()
            with Proxy(broker.port, refusing=True) as proxy, \
                    Agent(proxy.port, settings=settings) as agent, \
                    Receiver(broker.port) as receiver:
                agent.start()
                last_for(4, agent.alive)
                proxy.listen()
                receiver.wait_count(100)
                stream = receiver.records.streams()[0]
                come = receiver.records.sequences(stream)
                fresh = [sequence for sequence in come if sequence > len(come)]
                old = [sequence for sequence in come if sequence < min(fresh)]
                self.assertGreater(max(fresh), 100)
                self.assertGreater(min(fresh) - max(old), 1, "the backlog was not overtaken")
                self.assertEqual(old, sorted(old))
                agent.kill()
                agent.settings["send"]["backfill_rate"] = "0"
                agent.start()
                self.wait_more(receiver.records, 20)
                finish(self, agent, receiver.records)
                receiver.records.check(self, ordered=False)

    def test_killed_repeatedly(self):
        with Broker() as broker:
            broker.start()
            with Proxy(broker.port) as proxy, Agent(proxy.port) as agent:
                agent.start()
                for _ in range(KILLS):
                    self.wait_more(proxy.acknowledged, 20)
                    broker.kill()
                    accepted = proxy.accepted
                    wait_for(lambda a=accepted: proxy.accepted > a, "the agent to try again")
                    broker.start()
                self.wait_more(proxy.acknowledged, 20)
                finish(self, agent, proxy.acknowledged)
                proxy.published.check(self)
                proxy.acknowledged.check(self)
                print(proxy.published.summary())

    def wait_more(self, records, count):
        before = records.count()
        wait_for(lambda: records.count() >= before + count,
                 lambda: f"{count} more records; {records.count()} came")

    def test_killed_between_store_and_acknowledgement(self):
        with tempfile.TemporaryDirectory() as folder, Stub(folder) as stub, \
                Agent(stub.port) as agent:
            agent.start()
            for _ in range(KILLS):
                stub.start("--die-between-store-and-ack", "25")
                wait_for(lambda: stub.process.poll() is not None, agent.log)
                stub.kill()
            stub.start()
            records = StoredRecords(stub)
            count = records.count()
            wait_for(lambda: records.count() > count + 20, "more records")
            finish(self, agent, records)
            records.check(self)
            # Where the publish that died with the stub was a retained one, none is repeated.
            self.assertGreaterEqual(records.duplicates(), KILLS // 2)
            print(records.summary())

    def test_acknowledgements_lost_doubled_and_backwards(self):
        for fault in (["--lose-acks-every", "7"], ["--acks-twice"], ["--acks-backwards"]):
            with self.subTest(fault[0]), tempfile.TemporaryDirectory() as folder, \
                    Stub(folder, *fault) as stub, Agent(stub.port) as agent:
                stub.start()
                agent.start()
                records = StoredRecords(stub)
                wait_for(lambda r=records: r.count() > 60, agent.log)
                finish(self, agent, records)
                records.check(self)


class StoredRecords(Records):
    """What the stub has stored, read anew at each count."""

    def __init__(self, stub):
        super().__init__()
        self.stub = stub
        self.taken = 0

    def count(self):
        payloads = self.stub.payloads()
        for payload in payloads[self.taken:]:
            self.add(payload)
        self.taken = len(payloads)
        return super().count()


if __name__ == "__main__":
    main()
