#!/usr/bin/python3
"""The program that README.md shows, as extracted and compiled: what it records is delivered."""
import subprocess
import unittest

from support import wire
from support.agent import program
from support.broker import Broker
from support.receiver import Receiver
from support.waiting import main


class ReadmeProgram(unittest.TestCase):
    def test_delivers_what_it_records(self):
        with Broker() as broker, Receiver(broker.start().port) as receiver:
            run = subprocess.run([program("readme_program"), str(broker.port)], timeout=60,
                                 capture_output=True, text=True, check=False)
            self.assertEqual(run.returncode, 0, run.stderr)
            receiver.wait_last("status", b"offline")
            receiver.records.check(self)
            batches = list(receiver.records.batches.values())
        names = {metric.id: metric.name for batch in batches for metric in batch.metrics}
        points = [(names[identity], value) for batch in batches
                  for identity, _, value in wire.points(batch)]
        self.assertEqual(points, [("pump.pressure", 512 + i % 5) for i in range(100)])


if __name__ == "__main__":
    main()
