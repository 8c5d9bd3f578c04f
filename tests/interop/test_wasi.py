#!/usr/bin/python3
"""What only the component has: rights that are missing, names that the runtime looks up, a folder
that is granted by another name, sensors from a granted /proc."""
import os
import subprocess
import tempfile
import unittest

from support.agent import COMPONENT, WASI_HOST, Agent, program
from support.broker import Broker
from support.receiver import Receiver
from support.waiting import main, wait_for

# Of a machine whatever its hardware.
EXPECTED = (b"system.memory.usage", b"system.cpu.utilization", b"system.network.io",
            b"system.uptime", b"system.cpu.load_average.1m", b"process.memory.usage",
            b"process.cpu.time")
NETWORK = "inherit-network,allow-ip-name-lookup"


class Run:
    """The component with exactly these rights; ends when the test is over."""

    def __init__(self, test, rights, *words):
        self.log_file = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [*WASI_HOST, "run", "--allow-precompiled", *rights, program(COMPONENT),
             "--device", "bird-1", "--fleet", "test", "--interval", "100ms", "--batch-age", "100ms",
             *words], stdout=self.log_file, stderr=self.log_file, stdin=subprocess.DEVNULL)
        test.addCleanup(self.end)

    def end(self):
        self.process.kill()
        self.process.wait()
        self.log_file.close()

    def log(self):
        return os.pread(self.log_file.fileno(), 1 << 20, 0).decode()

    def grants(self):
        """The flags that the warnings name, in order."""
        return [line.split("grant=")[1] for line in self.log().splitlines() if "grant=" in line]

    def wait_log(self, words):
        wait_for(lambda: words in self.log() or self.process.poll() is not None, self.log)
        assert words in self.log(), self.log()


class Rights(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def test_none_at_all(self):
        run = Run(self, [], "-h", "localhost", "--state", "/state")
        run.wait_log("recording goes to memory")
        self.assertEqual(run.grants(), ['"-S inherit-network"', '"--dir FOLDER::STATE"',
                                        '"--dir /proc"', '"--dir /sys"'])
        self.assertIsNone(run.process.poll(), run.log())

    def test_no_look_ups(self):
        run = Run(self, ["-S", "inherit-network", "--dir", f"{self.folder}::/state", "--dir",
                         "/proc", "--dir", "/sys"], "-h", "localhost", "--state", "/state")
        run.wait_log("log is new")
        self.assertEqual(run.grants(), ['"-S allow-ip-name-lookup"'])

    def test_all(self):
        run = Run(self, ["-S", NETWORK, "--dir", f"{self.folder}::/state", "--dir", "/proc",
                         "--dir", "/sys"], "-h", "localhost", "--state", "/state")
        run.wait_log("log is new")
        self.assertEqual(run.grants(), [])
        self.assertTrue(os.path.exists(os.path.join(self.folder, "log")))

    def test_a_folder_that_cannot_be_written_to(self):
        # /proc is one even for root.
        run = Run(self, ["-S", NETWORK, "--dir", "/proc/self::/state", "--dir", "/proc", "--dir",
                         "/sys"], "-h", "127.0.0.1", "--state", "/state")
        run.wait_log("recording goes to memory")
        self.assertEqual(len(run.grants()), 1, run.log())
        self.assertIn("may be written to", run.grants()[0])

    def test_without_a_folder_it_still_publishes(self):
        with Broker() as broker, Receiver(broker.start().port) as receiver:
            Run(self, ["-S", NETWORK, "--dir", "/proc"], "-h", "localhost", "-p",
                str(broker.port), "--state", "/state")
            receiver.wait_count(3)

    def test_sensors_of_a_granted_proc(self):
        with Broker() as broker, Receiver(broker.start().port) as receiver:
            run = Run(self, ["-S", NETWORK, "--dir", f"{self.folder}::/state", "--dir", "/proc",
                             "--dir", "/sys"], "-h", "localhost", "-p", str(broker.port),
                      "--state", "/state")
            receiver.wait_count(5)
            wait_for(lambda: all(word in (receiver.last("catalog") or b"") for word in EXPECTED),
                     lambda: f"{receiver.last('catalog')} {run.log()}")
            self.assertNotIn(b"system.filesystem.usage", receiver.last("catalog"))


class Life(unittest.TestCase):
    def test_a_stop_from_an_earlier_life_is_not_obeyed(self):
        with Broker() as broker, Receiver(broker.start().port) as receiver, \
                Agent(broker.port) as agent:
            with open(os.path.join(agent.state, "stop"), "wb"):
                agent.start()
            receiver.wait_count(20)
            self.assertTrue(agent.alive())
            self.assertEqual(agent.terminate(), 0)
            receiver.wait_last("status", b"offline")


if __name__ == "__main__":
    main()
