"""An uplink by hand (uplink_shell.c), and a broker that says what it is told to.

The shell prints what the agent would see; Uplink keeps those lines and waits for them.
"""
import os
import queue
import re
import signal
import socket
import subprocess
import threading

from . import wire
from .agent import program
from .children import spawn
from .waiting import DEADLINE_S, wait_for


def payload(token, size):
    """What the shell publishes."""
    return bytes(token >> 8 * at & 255 if at < 4 else at + token & 255 for at in range(size))


class Uplink:
    def __init__(self, kind, *options):
        self.kind = kind
        self.lines = []
        self.seen = 0  # lines that a wait has passed
        self.process = spawn([program(f"uplink_shell_{kind}"), *options], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True, bufsize=1)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def say(self, words):
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()

    def wait(self, pattern):
        """The match of the first line not passed yet that fits; what lies before it is passed."""
        def look():
            for at in range(self.seen, len(self.lines)):
                match = re.fullmatch(pattern, self.lines[at])
                if match:
                    self.seen = at + 1
                    return match
            return self.process.poll() is not None and "ended"
        match = wait_for(look, lambda: f"{pattern!r} after line {self.seen}:\n"
                         + "\n".join(self.lines[-40:]))
        if match == "ended":
            raise AssertionError(f"it ended with {self.process.returncode}: {self.lines[-9:]}")
        return match

    def pong(self):
        """What happened until now has been told."""
        self.say("ping")
        self.wait("pong")

    def open(self, port, version, host="127.0.0.1", **keys):
        words = " ".join(f"{key}={value}" for key, value in keys.items())
        self.say(f"open {host} {port} version={version} {words}")
        self.wait("open 0")
        return self

    def up(self, port, version, **keys):
        """Opens; returns the match of its UP."""
        self.open(port, version, **keys)
        return self.wait_up()

    def wait_up(self):
        return self.wait(r"up present=(\d) packet_max=(\d+) qos_max=(\d) retain=(\d)")

    def wait_down(self):
        """(error, reason, server) of DOWN."""
        match = self.wait(r"down error=(-?\d+) reason=(\d+) server=(.*)")
        return int(match[1]), int(match[2]), match[3]

    def publish(self, token, topic="t", size=20, qos=1, retain=0, content_type=""):
        """The result of publish."""
        self.say(f"publish {token} {qos} {retain} {size} {topic} {content_type}")
        return int(self.wait(rf"publish {token} (-?\d+)")[1])

    def wait_acked(self, token):
        """The reason of its ack."""
        return int(self.wait(rf"acked token={token} reason=(\d+)")[1])

    def acks(self):
        """The tokens acknowledged since the last connection came up."""
        since = max((at for at, line in enumerate(self.lines) if line.startswith("up ")), default=0)
        found = (re.match(r"acked token=(\d+)", line) for line in self.lines[since:])
        return [int(match[1]) for match in found if match]

    def result(self, words):
        """The result of another command."""
        self.say(words)
        return int(self.wait(rf"{words.split()[0]} (-?\d+)")[1])

    def close(self, will=False):
        self.say("close will" if will else "close")
        self.wait("closed")

    def end(self):
        """Ends it in order; returns the exit code."""
        self.process.stdin.close()
        code = self.process.wait(DEADLINE_S)
        self.reader.join()
        return code

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()
        if not self.process.stdin.closed:
            try:
                self.process.stdin.close()
            except BrokenPipeError:
                pass


class Scripted:
    """A broker for one client at a time that answers CONNECT with the next CONNACK of its list (or
    the last one again) and acknowledges nothing unless told. What came is in `packets`."""

    def __init__(self, *connacks):
        self.connacks = list(connacks)
        self.packets = queue.Queue()
        self.connects = []  # bodies
        self.pings = 0
        self.client = None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.open = True
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.open = False
        for one in (self.listener, self.client):
            if one is not None:
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                one.close()

    def _serve(self):
        while self.open:
            try:
                client, _ = self.listener.accept()
                self.client = client
                self._session(client)
            except OSError:
                pass

    def _session(self, client):
        packets = wire.Packets()
        while True:
            data = client.recv(65536)
            if not data:
                client.close()
                return
            for kind, flags, body in packets.feed(data):
                if kind == wire.CONNECT:
                    self.connects.append(body)
                    answer = self.connacks.pop(0) if len(self.connacks) > 1 else self.connacks[0]
                    client.sendall(wire.packet(wire.CONNACK, 0, answer))
                elif kind == wire.PINGREQ:
                    self.pings += 1
                    client.sendall(wire.packet(wire.PINGRESP, 0, b""))
                else:
                    self.packets.put((kind, flags, body))

    def wait(self, wanted):
        """(flags, body) of the next packet of this type."""
        while True:
            kind, flags, body = self.packets.get(timeout=DEADLINE_S)
            if kind == wanted:
                return flags, body

    def send(self, kind, body, flags=0):
        self.client.sendall(wire.packet(kind, flags, body))

    def hang_up(self):
        self.client.shutdown(socket.SHUT_RDWR)
