#!/usr/bin/python3
"""The link fails: cut at every byte of a publish and of its answer, sliced, slow, half-open."""
import unittest

from support.agent import Agent, finish
from support.broker import Broker
from support.proxy import Fault, Proxy
from support.receiver import Receiver
from support.waiting import main, wait_for


class LinkFails(unittest.TestCase):
    def setUp(self):
        self.broker = Broker().start()
        self.addCleanup(self.broker.close)
        self.proxy = Proxy(self.broker.port)
        self.addCleanup(self.proxy.close)
        self.receiver = Receiver(self.broker.port)
        self.addCleanup(self.receiver.__exit__)
        self.agent = Agent(self.proxy.port)
        self.addCleanup(self.agent.__exit__)

    def judge(self):
        self.receiver.wait_count(self.receiver.records.count() + 10)
        finish(self, self.agent, self.receiver.records)
        self.receiver.records.check(self)
        print(self.receiver.records.summary())

    def run_plan(self, faults):
        """Each fault gets a connection of its own; returns when all had theirs."""
        for fault in faults:
            self.proxy.plan.put(fault)
        self.proxy.cut_all()
        wait_for(self.proxy.plan.empty, lambda: f"{self.proxy.plan.qsize()} faults left",
                 seconds=240)

    def start(self):
        """Starts the agent and returns the size of a batch's PUBLISH."""
        self.agent.start()
        self.receiver.wait_count(30)
        return max(self.proxy.publish_sizes)

    def test_cut_at_every_byte_of_a_publish(self):
        size = self.start()
        self.run_plan(Fault(cut_batch=offset, reset=bool((offset + way) % 2))
                      for way in (0, 1) for offset in range(size + 1))
        print(f"{2 * (size + 1)} cuts, {self.proxy.accepted} connections")
        self.judge()

    def test_cut_at_every_byte_of_the_first_publish(self):
        self.start()
        self.run_plan(Fault(cut_publish=(0, offset)) for offset in range(40))
        self.judge()

    def test_cut_at_every_byte_of_an_acknowledgement(self):
        self.start()
        self.run_plan(Fault(cut_puback=(n, offset), reset=reset)
                      for n in range(6) for offset in range(5) for reset in (False, True))
        self.judge()

    def test_one_byte_at_a_time(self):
        self.proxy.fault = Fault(slice_bytes=1)
        self.agent.start()
        self.receiver.wait_count(50)
        self.judge()

    def test_slow(self):
        self.proxy.fault = Fault(rate=20000, delay_s=0.1)
        self.agent.start()
        self.receiver.wait_count(50)
        self.judge()

    def test_half_open(self):
        self.agent.settings["broker"]["keepalive"] = 5
        self.proxy.plan.put(Fault(hold_up_after=2000, hold_down_after=300))
        self.agent.start()
        wait_for(lambda: self.proxy.accepted >= 2, "the agent to give the silent broker up")
        self.judge()


if __name__ == "__main__":
    main()
