#!/usr/bin/python3
"""The storage fails: full log, no space, I/O errors, failed syncs, short writes."""
import os
import unittest

from support.agent import Agent, BUILD, finish
from support.broker import Broker
from support.proxy import Proxy
from support.receiver import Receiver
from support.waiting import last_for, main, wait_for

OVERFLOW, MERGED, THINNED = 1, 6, 7
WINDOW = 32


class LogFull(unittest.TestCase):
    def overflow(self, policy, **keys):
        settings = {"log": {"size": "16K", "policy": policy, **keys}}
        with Broker() as broker, Receiver(broker.start().port) as receiver, \
                Proxy(broker.port, refusing=True) as proxy, \
                Agent(proxy.port, sensors=32, settings=settings) as agent:
            agent.start()
            last_for(8, agent.alive)
            proxy.listen()
            receiver.wait_count(60)
            finish(self, agent, receiver.records)
            return receiver.records

    def test_drops_the_oldest_and_the_ledger_tells_exactly(self):
        records = self.overflow("drop-oldest")
        records.check(self)
        (stream,) = records.streams()
        told, come = records.told_lost(stream), set(records.sequences(stream))
        self.assertGreater(len(told), 50)
        if not any(reason == MERGED for _, _, reason in records.losses(stream)):
            # What was in flight when the log took its place may have arrived all the same.
            self.assertLessEqual(len(told & come), WINDOW, "told lost, and yet it came")
        self.assertLessEqual({reason for _, _, reason in records.losses(stream)},
                             {OVERFLOW, MERGED})
        self.assertEqual(told | come, set(range(1, max(come) + 1)))
        print(f"{len(told)} of {len(told | come)} told lost, {len(come)} came")

    def test_thins_the_old_and_keeps_some_of_everything(self):
        records = self.overflow("thin", keep_every=4)
        (stream,) = records.streams()
        told, come = records.told_lost(stream), set(records.sequences(stream))
        self.assertEqual((records.damaged, records.conflicts), ([], []))
        self.assertEqual(records.missing(stream), [])
        self.assertLessEqual({reason for _, _, reason in records.losses(stream)},
                             {THINNED, MERGED})
        kept = told & come
        self.assertGreater(len(kept), len(told) / 10)
        self.assertLess(len(kept), len(told) / 2)
        self.assertLess(min(kept), min(come - told) / 2)
        print(f"{len(told)} told thinned, {len(kept)} of them came")

    def test_drops_the_newest_and_counts_the_points(self):
        records = self.overflow("drop-newest")
        records.check(self)
        (stream,) = records.streams()
        self.assertEqual(records.told_lost(stream), set())
        self.assertGreater(records.points_lost(stream), 100)


class StorageFails(unittest.TestCase):
    def setUp(self):
        self.broker = Broker().start()
        self.addCleanup(self.broker.close)
        self.receiver = Receiver(self.broker.port)
        self.addCleanup(self.receiver.__exit__)
        self.agent = Agent(self.broker.port)
        self.addCleanup(self.agent.__exit__)
        self.switch = os.path.join(self.agent.folder, "fault")
        self.agent.env.update({
            "LD_PRELOAD": os.path.join(BUILD, "fault_io.so"),
            "DUNLIN_FAULT_FILE": self.switch, "DUNLIN_FAULT_BELOW": self.agent.state,
            "ASAN_OPTIONS": "verify_asan_link_order=0"})

    def fault(self, word):
        with open(self.switch + ".new", "w", encoding="ascii") as stream:
            stream.write(word)
        os.replace(self.switch + ".new", self.switch)

    def arrivals_after(self, count, stream=None):
        """Waits for so many new records, of `stream` if given."""
        def come():
            keys = self.receiver.records.bytes
            return sum(1 for own, _ in list(keys) if stream in (None, own))
        before = come()
        wait_for(lambda: come() >= before + count or self.agent._must_live(),
                 lambda: f"{count} records more\n{self.agent.log()}")

    def fails_and_recovers(self, word):
        self.agent.start()
        self.arrivals_after(20)
        (stream,) = self.receiver.records.streams()
        self.fault(word)
        self.arrivals_after(60)
        self.fault("")
        self.arrivals_after(20, stream)
        finish(self, self.agent, self.receiver.records)
        self.receiver.records.check(self)
        self.assertRegex(self.agent.log().lower(), "storage")
        print(f"{len(self.receiver.records.streams())} streams, "
              + self.receiver.records.summary())

    def test_no_space_left(self):
        self.fails_and_recovers("nospace")

    def test_io_error(self):
        self.fails_and_recovers("io")

    def test_sync_fails(self):
        self.fails_and_recovers("sync")

    def test_short_writes(self):
        self.fault("short")
        self.agent.start()
        self.arrivals_after(60)
        finish(self, self.agent, self.receiver.records)
        self.receiver.records.check(self)
        self.assertEqual(len(self.receiver.records.streams()), 1)

    def test_failed_from_the_start(self):
        self.fault("io")
        self.agent.start()
        self.arrivals_after(40)
        self.fault("")
        self.agent.wait_log("storage")
        self.assertEqual(self.agent.terminate(), 0, self.agent.log())
        self.receiver.records.check(self)


if __name__ == "__main__":
    main()
