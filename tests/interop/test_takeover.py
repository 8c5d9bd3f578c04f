#!/usr/bin/python3
"""Two devices with one client id at a real Mosquitto: each says so, and they take the connection
from each other ever more seldom instead of in a storm.

A 3.1.1 broker cannot tell why it closes. Nor does Mosquitto 2.0.11 with MQTT 5: it queues reason
0x8E and closes before that is written; newer ones send it.
"""
import re
import time
import unittest

from support.agent import Agent
from support.broker import Broker
from support.waiting import main, wait_for

BASE_MS = 20


class OneClientId(unittest.TestCase):
    def wait_for_quiet(self, broker):
        """At an unchanging wait there never is a second in which nobody connects."""
        seen = {"count": 0, "since": time.monotonic()}

        def quiet():
            count = broker.log().count(" as twin ")
            if count != seen["count"]:
                seen.update(count=count, since=time.monotonic())
            return count > 4 and time.monotonic() > seen["since"] + 50 * BASE_MS / 1000
        wait_for(quiet, broker.log)

    def fight(self, version, words):
        settings = {"broker": {"version": version, "client_id": "twin",
                               "reconnect_min": f"{BASE_MS}ms", "reconnect_max": "10m"}}
        with Broker("log_type notice\n") as broker, \
                Agent(broker.start().port, device="bird-1", settings=settings) as first, \
                Agent(broker.port, device="bird-2", settings=settings) as second:
            first.start()
            second.start()
            for agent in (first, second):
                wait_for(lambda agent=agent: re.search(
                    rf'level=error msg="{words}[^\n]*" client_id=twin'
                    r' remedy="\[broker\] client_id or \[agent\] device"', agent.log()), agent.log)
            # A connection that is taken over does not make the waits short again.
            self.wait_for_quiet(broker)

    def test_version_5(self):
        self.fight("5", "(another client with our client id|each connection is soon closed)")

    def test_version_3_1_1(self):
        self.fight("3.1.1", "each connection is soon closed")


if __name__ == "__main__":
    main()
