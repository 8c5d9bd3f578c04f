#!/usr/bin/python3
"""What only the component has: rights that are missing, names that the runtime looks up, a folder
that is granted by another name, sensors from a granted /proc."""
import os
import socket
import subprocess
import tempfile
import unittest

from support.agent import COMPONENT, WASI_HOST, Agent, finish, program
from support.broker import Broker
from support.proxy import Proxy
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


class Network(unittest.TestCase):
    """What the other interop tests do by IPv4 and MQTT 5, the other way, in short."""

    def lasts(self, proxy, broker, **keys):
        settings = {"broker": {**keys}}
        with proxy, Agent(proxy.port, settings=settings) as agent:
            agent.start()
            for _ in range(3):
                before = proxy.acknowledged.count()
                wait_for(lambda n=before: proxy.acknowledged.count() >= n + 20, agent.log)
                broker.kill()
                broker.start()
            finish(self, agent, proxy.acknowledged)
            proxy.published.check(self)
            proxy.acknowledged.check(self)
            return {connection.level for connection in proxy.connections}

    def test_ipv6(self):
        try:
            with socket.socket(socket.AF_INET6) as probe:
                probe.bind(("::1", 0))
        except OSError as error:
            self.skipTest(f"no IPv6 on this machine: {error}")
        with Broker() as broker:
            proxy = Proxy(broker.start().port, address="::1")
            self.assertEqual(self.lasts(proxy, broker, host="::1"), {5})
            with Receiver(broker.port) as receiver, Proxy(broker.port, address="::1") as proxy:
                Run(self, ["-S", NETWORK], "-L", f"mqtt://[::1]:{proxy.port}", "--state", "/state")
                receiver.wait_last("status", b"online")

    def test_mqtt_3_1_1(self):
        with Broker() as broker:
            proxy = Proxy(broker.start().port)
            self.assertEqual(self.lasts(proxy, broker, version="3.1.1"), {4})

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
