"""A tiny MQTT broker (3.1.1 and 5) for one device, which stores each record before it answers.

It runs as a process of its own, so that it can be killed at any moment; what it stored is a file
of length-prefixed messages. It can be told to misbehave. It delivers to nobody.

    broker_stub.py --port P --store FILE [--ack-delay-ms N] [--lose-acks-every N] [--acks-twice]
                   [--acks-backwards] [--die-between-store-and-ack N] [--old] [--hangs-up]
                   [--refuse CODE --refuse-every N] [--redirect HOST:PORT] [--aliases N]
"""
import argparse
import os
import signal
import socket
import struct
import sys
import time

if __package__ in (None, ""):
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), ".."))
from support import wire
from support.children import spawn
from support.waiting import can_connect, free_port, wait_for


def stored(path):
    """(topic, payload) of each whole message in a store; a torn tail is no message."""
    with open(path, "rb") as stream:
        data = stream.read()
    while len(data) >= 8:
        topic_size, size = struct.unpack("<II", data[:8])
        if len(data) < 8 + topic_size + size:
            return
        yield data[8:8 + topic_size].decode(), data[8 + topic_size:8 + topic_size + size]
        data = data[8 + topic_size + size:]


class Stub:
    """The stub as a child process, with the interface of broker.Broker."""

    def __init__(self, folder, *options):
        self.store = os.path.join(folder, "store")
        open(self.store, "ab").close()
        self.options = options
        self.port = free_port()
        self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def start(self, *options):
        self.process = spawn(
            ["/usr/bin/python3", os.path.realpath(__file__), "--port", str(self.port),
             "--store", self.store, *self.options, *options])
        wait_for(lambda: can_connect(self.port), "the stub does not listen")
        return self

    def kill(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def payloads(self, channel="batch"):
        return [payload for topic, payload in stored(self.store)
                if topic.endswith("/" + channel)]


class _Server:
    def __init__(self, arguments):
        self.arguments = arguments
        self.count = 0
        self.level, self.aliases = 4, {}
        self.held = []

    def serve(self):
        listener = socket.create_server(("127.0.0.1", self.arguments.port), backlog=16)
        while True:
            client, _ = listener.accept()
            with client:
                try:
                    self._session(client)
                except OSError:
                    pass

    def _session(self, client):
        packets = wire.Packets()
        self.held = []
        while True:
            data = client.recv(65536)
            if not data:
                return
            for kind, flags, body in packets.feed(data):
                self._answer(client, kind, flags, body)
            self._flush(client)

    def _answer(self, client, kind, flags, body):
        if kind == wire.CONNECT:
            self._connect(client, wire.protocol_level(body))
        elif kind == wire.PUBLISH:
            self._publish(client, flags, body)
        elif kind == wire.SUBSCRIBE:
            properties = b"\0" if self.level == 5 else b""
            client.sendall(wire.packet(wire.SUBACK, 0, body[:2] + properties + b"\1"))
        elif kind == wire.PINGREQ:
            client.sendall(wire.packet(wire.PINGRESP, 0, b""))

    def _connect(self, client, level):
        self.level, self.aliases = level, {}
        if level == 5 and self.arguments.old:
            client.sendall(wire.packet(wire.CONNACK, 0, b"\0\1"))
            raise OSError("unacceptable protocol version")
        if level == 5 and self.arguments.hangs_up:
            raise OSError("no words for it")
        if level == 5 and self.arguments.redirect:
            name = self.arguments.redirect.encode()
            reference = b"\x1c" + struct.pack(">H", len(name)) + name
            client.sendall(wire.packet(wire.CONNACK, 0, b"\0\x9c" + bytes([len(reference)])
                                       + reference))
            raise OSError("redirected")
        properties = b"\x22" + struct.pack(">H", self.arguments.aliases)
        client.sendall(wire.packet(wire.CONNACK, 0, b"\0\0" + (
            bytes([len(properties)]) + properties if level == 5 else b"")))

    def _publish(self, client, flags, body):
        topic, packet_id, payload = wire.publish_parts(flags, body, self.level, self.aliases)
        name = topic.encode()
        if self._refuses(topic, payload):
            client.sendall(wire.packet(wire.PUBACK, 0, packet_id.to_bytes(2, "big")
                                       + bytes([self.arguments.refuse])))
            return
        with open(self.arguments.store, "ab", buffering=0) as store:
            store.write(struct.pack("<II", len(name), len(payload)) + name + payload)
        if packet_id is None:
            return
        self.count += 1
        if self.arguments.die_between_store_and_ack == self.count:
            os.kill(os.getpid(), signal.SIGKILL)
        every = self.arguments.lose_acks_every
        if every and self.count % every == 0:
            client.shutdown(socket.SHUT_RDWR)
            raise OSError("lost on purpose")
        time.sleep(self.arguments.ack_delay_ms / 1000)
        self._acknowledge(client, wire.packet(wire.PUBACK, 0, packet_id.to_bytes(2, "big")))

    def _refuses(self, topic, payload):
        """Each N-th record, by its sequence, so that a repetition meets the same answer."""
        if self.level != 5 or not self.arguments.refuse or not topic.endswith("/batch"):
            return False
        sequence = wire.Batch.FromString(payload).sequence
        return sequence % self.arguments.refuse_every == self.arguments.refuse_every - 1

    def _acknowledge(self, client, acknowledgement):
        if self.arguments.acks_backwards:
            self.held.append(acknowledgement)
            return
        client.sendall(acknowledgement * (2 if self.arguments.acks_twice else 1))

    def _flush(self, client):
        for acknowledgement in reversed(self.held):
            client.sendall(acknowledgement)
        self.held = []


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--store", required=True)
    parser.add_argument("--ack-delay-ms", type=float, default=0)
    parser.add_argument("--lose-acks-every", type=int, default=0)
    parser.add_argument("--die-between-store-and-ack", type=int, default=0)
    parser.add_argument("--old", action="store_true", help="refuse version 5, as an old broker")
    parser.add_argument("--hangs-up", action="store_true", help="on version 5, without a word")
    parser.add_argument("--refuse", type=int, default=0, metavar="CODE")
    parser.add_argument("--refuse-every", type=int, default=1)
    parser.add_argument("--redirect", default="")
    parser.add_argument("--aliases", type=int, default=0)
    parser.add_argument("--acks-twice", action="store_true")
    parser.add_argument("--acks-backwards", action="store_true")
    _Server(parser.parse_args()).serve()


if __name__ == "__main__":
    main()
