#!/usr/bin/python3
"""The clients and the line of `tools/bench throughput`, checked: each message of each client comes
to the broker, through a line that gives on every byte, late. Only the line's delay is timed, which
is a lower bound."""
import os
import socket
import sys
import threading
import time
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "interop"), HERE]
from lines import PAYLOAD, TOPIC, Line, mosquitto_pub, program, publish  # noqa: E402
from measure import Counter  # noqa: E402
from support.broker import Broker, mosquitto_path  # noqa: E402
from support.waiting import main, wait_for  # noqa: E402

COUNT = 200
ROUND_TRIP_MS = 10


@unittest.skipUnless(mosquitto_path(), "mosquitto is not installed")
class Clients(unittest.TestCase):
    def setUp(self):
        self.broker = self.enterContext(Broker("set_tcp_nodelay true\n"))
        self.broker.start()
        self.counter = self.enterContext(Counter(self.broker.port))
        self.line = self.enterContext(Line(self.broker.port, ROUND_TRIP_MS))
        probe = (TOPIC + "/probe", b"")
        self.counter.client.publish(*probe)
        wait_for(lambda: probe in self.counter.messages, "the counter subscribes")
        self.counter.messages.clear()

    def arrives(self, count):
        wait_for(lambda: len(self.counter.messages) >= count,
                 lambda: f"{len(self.counter.messages)} of {count} messages came")
        self.assertEqual(len(self.counter.messages), count)
        self.assertEqual(set(self.counter.messages), {(TOPIC, PAYLOAD.encode())})

    def test_dunlin(self):
        for version in (4, 5):
            taken, _ = publish("dunlin", self.line.port, COUNT, 64, version)
            self.assertGreater(taken, COUNT / 64 * ROUND_TRIP_MS / 1000)
        self.arrives(2 * COUNT)

    def test_stop_and_wait(self):
        taken, _ = publish("dunlin", self.line.port, 10, 1)
        self.assertGreater(taken, 10 * ROUND_TRIP_MS / 1000)
        self.arrives(10)

    def test_libmosquitto(self):
        for version in (4, 5):
            publish("mosquitto", self.line.port, COUNT, 64, version)
        self.arrives(2 * COUNT)

    def test_paho(self):
        if not os.path.exists(program("paho")):
            self.skipTest("built without libpaho-mqtt-dev")
        for version in (4, 5):
            publish("paho", self.line.port, COUNT, 64, version)
        self.arrives(2 * COUNT)

    def test_mosquitto_pub(self):
        mosquitto_pub(self.line.port, COUNT, 64)
        self.arrives(COUNT + 2)  # one alone, and one more before those that are timed

    def test_a_broker_that_dies_is_a_failure(self):
        self.broker.kill()
        with self.assertRaises(RuntimeError):
            publish("dunlin", self.line.port, COUNT, 64)


class TheLine(unittest.TestCase):
    def setUp(self):
        self.listener = self.enterContext(socket.create_server(("127.0.0.1", 0)))

    def connect(self, line):
        near = self.enterContext(socket.create_connection(("127.0.0.1", line.port)))
        far = self.enterContext(self.listener.accept()[0])
        return near, far

    def test_every_byte_arrives_in_order_and_late(self):
        sent = os.urandom(1 << 20)
        with Line(self.listener.getsockname()[1], 40) as line:
            near, far = self.connect(line)
            start = time.monotonic()
            threading.Thread(target=lambda: (near.sendall(sent), near.shutdown(socket.SHUT_WR)),
                             daemon=True).start()
            came = bytearray(far.recv(65536))
            self.assertGreaterEqual(time.monotonic() - start, 0.02)
            while part := far.recv(65536):
                came += part
            self.assertEqual(bytes(came), sent)
            far.sendall(b"and back")  # the other way is still open
            far.close()
            self.assertEqual(near.recv(100) + near.recv(100), b"and back")

    def test_a_narrow_line_takes_its_time(self):
        with Line(self.listener.getsockname()[1], 0, 100000) as line:
            near, far = self.connect(line)
            start = time.monotonic()
            near.sendall(bytes(20000))
            came = 0
            while came < 20000:
                came += len(far.recv(65536))
            self.assertGreaterEqual(time.monotonic() - start, 0.2)

    def test_no_upstream_is_a_close(self):
        port = self.listener.getsockname()[1]
        self.listener.close()
        with Line(port, 0) as line:
            with socket.create_connection(("127.0.0.1", line.port)) as near:
                self.assertEqual(near.recv(1), b"")


if __name__ == "__main__":
    main()
