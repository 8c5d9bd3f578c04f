#!/usr/bin/python3
"""The broker is away: from the start, killed again and again, killed between store and answer.

DUNLIN_OUTAGE sets the seconds of the first outage (default 6; 60 is the promise of the README).
"""
import os
import tempfile
import unittest

from support.agent import DAEMON, Agent, finish
from support.broker import Broker
from support.broker_stub import Stub
from support.proxy import Proxy
from support.receiver import Receiver, Recorder
from support.records import Records
from support.waiting import last_for, main, wait_for

OUTAGE_S = float(os.environ.get("DUNLIN_OUTAGE", "6"))
KILLS = 8
# While Paho's library connects again, more is recorded than seven acknowledgements free.
ACKS = "7" if DAEMON == "dunlind" else "101"


class BrokerAway(unittest.TestCase):
    def test_down_from_the_start(self):
        """Two agents: one with lanes, which is the default, one in strict order."""
        strict = {"send": {"order": "strict"}}
        with Broker() as broker:
            broker.start()
            with Proxy(broker.port, refusing=True) as proxy, Agent(proxy.port) as one, \
                    Agent(proxy.port, device="bird-2", settings=strict) as two, \
                    Receiver(broker.port, "dunlin/test/bird-1/#", "receiver-1") as first, \
                    Receiver(broker.port, "dunlin/test/bird-2/#", "receiver-2") as second:
                one.start()
                two.start()
                last_for(OUTAGE_S, lambda: one.alive() and two.alive())
                proxy.listen()
                for agent, receiver in ((one, first), (two, second)):
                    receiver.wait_count(int(OUTAGE_S * 30))
                    finish(self, agent, receiver.records)
                    receiver.records.check(self, strict=agent is two)
                    print(receiver.records.summary())

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

    def test_killed_and_what_it_took_is_stored_elsewhere(self):
        """ack = stored: the receiver judges, although the broker forgets what it acknowledged."""
        settings = {"send": {"ack": "stored", "stored_wait": "1s"}}
        with Broker() as broker:
            broker.start()
            with Recorder(broker.port) as recorder, Agent(broker.port, settings=settings) as agent:
                agent.start()
                for _ in range(KILLS):
                    self.wait_more(recorder.records, 20)
                    broker.kill()
                    broker.start()
                self.wait_more(recorder.records, 20)
                finish(self, agent, recorder.records)
                recorder.records.check(self, lanes=0)
                print(recorder.records.summary())

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
        for fault in (["--lose-acks-every", ACKS], ["--acks-twice"], ["--acks-backwards"]):
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

    def check(self, test, strict=False):
        self.count()  # what came in the course of the end
        super().check(test, strict)


if __name__ == "__main__":
    main()
