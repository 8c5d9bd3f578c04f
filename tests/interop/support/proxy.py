"""A TCP fault proxy between the agent and a broker that knows where MQTT packets begin.

Each connection takes the next Fault of the plan, or the standing one. The proxy also keeps the
books: every PUBLISH that went up whole and every PUBACK that went down whole. A record whose
acknowledgement passed here was delivered as far as the device can tell, whatever the broker does
with it later; that separates the device's loss from the broker's.
"""
import dataclasses
import queue
import socket
import struct
import threading
import time

from . import wire
from .records import Records

DRAIN_S = 10  # for a broker that hangs; one that lives ends within milliseconds


@dataclasses.dataclass
class Fault:
    delay_s: float = 0.0         # one way, each way
    rate: float = 0.0            # bytes a second, each way; 0: no limit
    slice_bytes: int = 0         # largest piece passed on at once; 0: as it came
    cut_up_after: int = -1       # end after so many bytes towards the broker
    cut_down_after: int = -1     # end after so many bytes towards the device
    cut_publish: tuple = None    # (n, offset): within the n-th PUBLISH, from 0
    cut_puback: tuple = None     # (n, offset): within the n-th PUBACK, from 0
    cut_batch: int = -1          # so many bytes into the first PUBLISH of a batch
    reset: bool = False          # the cut is a RST, not a FIN
    hold_up_after: int = -1      # half-open: swallow what follows, keep the connection
    hold_down_after: int = -1


class _Cut(Exception):
    pass


class _Direction:
    """One way of one connection: takes bytes, applies the fault, hands them on."""

    def __init__(self, connection, source, target, up):
        self.connection, self.source, self.target, self.up = connection, source, target, up
        self.packets = wire.Packets()
        self.passed = 0
        self.pending = b""
        self.seen = 0  # packets of the kind that the fault counts
        self.queue = queue.Queue()

    def start(self):
        for work in (self._read, self._write):
            threading.Thread(target=work, daemon=True).start()

    def _read(self):
        while True:
            try:
                data = self.source.recv(65536)
            except OSError:
                data = b""
            self.queue.put((time.monotonic() + self.connection.fault.delay_s, data))
            if not data:
                return

    def _write(self):
        try:
            while True:
                due, data = self.queue.get()
                time.sleep(max(0.0, due - time.monotonic()))
                if not data:
                    break
                self._pass(data)
        except (_Cut, OSError):
            pass
        self.connection.end()

    def _pass_until_batch(self, data):
        """Passes whole packets; of the first that carries a batch only its first bytes."""
        self.pending += data
        while True:
            size = wire.header_size(self.pending)
            if size is None or len(self.pending) < sum(size):
                return
            packet, self.pending = self.pending[:sum(size)], self.pending[sum(size):]
            cut = self._is_batch(packet, size[0])
            piece = packet[:self.connection.fault.cut_batch] if cut else packet
            self._send(piece)
            if cut:
                raise _Cut

    def _is_batch(self, packet, head):
        if packet[0] >> 4 != wire.PUBLISH:
            return False
        connection = self.connection
        topic, _, _ = wire.publish_parts(packet[0] & 15, packet[head:], connection.level,
                                         connection.aliases)
        return topic.endswith("/batch")

    def _pass(self, data):
        fault = self.connection.fault
        if self.up and fault.cut_batch >= 0:
            self._pass_until_batch(data)
            return
        limit, cut = self._limit(data)
        for piece in self._slices(data[:limit], fault.slice_bytes):
            if fault.rate:
                time.sleep(len(piece) / fault.rate)
            hold = fault.hold_up_after if self.up else fault.hold_down_after
            if hold < 0 or self.passed < hold:
                self._send(piece)
            self.passed += len(piece)
        if cut:
            raise _Cut

    def _send(self, piece):
        """A publish is booked before it goes up, since its answer may overtake the books; an
        answer is booked when it went down."""
        if self.up:
            self._book(piece)
        self.target.sendall(piece)
        if not self.up:
            self._book(piece)

    @staticmethod
    def _slices(data, size):
        size = size or max(len(data), 1)
        return [data[at:at + size] for at in range(0, len(data), size)]

    def _limit(self, data):
        """(bytes of `data` to pass, whether the cut follows)."""
        fault = self.connection.fault
        after = fault.cut_up_after if self.up else fault.cut_down_after
        if after >= 0 and self.passed + len(data) >= after:
            return max(0, after - self.passed), True
        target = fault.cut_publish if self.up else fault.cut_puback
        if target is None:
            return len(data), False
        return self._limit_in_packet(data, target)

    def _limit_in_packet(self, data, target):
        kind = wire.PUBLISH if self.up else wire.PUBACK
        old = len(self.pending)
        self.pending += data
        at = 0
        while len(self.pending) > at:
            if self.pending[at] >> 4 == kind and self.seen == target[0]:
                wanted = at + target[1] - old
                return (max(0, wanted), True) if wanted <= len(data) else (len(data), False)
            size = wire.header_size(self.pending[at:])
            if size is None or len(self.pending) < at + sum(size):
                break
            if self.pending[at] >> 4 == kind:
                self.seen += 1
            at += sum(size)
        self.pending = self.pending[at:]
        return len(data), False

    def _book(self, data):
        if self.connection.proxy.opaque:
            return
        for kind, flags, body in self.packets.feed(data):
            if self.up and kind == wire.CONNECT:
                self.connection.level = wire.protocol_level(body)
            elif self.up and kind == wire.PUBLISH:
                self.connection.published(flags, body)
            elif not self.up and kind == wire.PUBACK and (len(body) == 2 or body[2] < 0x80):
                self.connection.acknowledged(int.from_bytes(body[:2], "big"))


class _Connection:
    def __init__(self, proxy, client, server, fault):
        self.proxy, self.fault = proxy, fault
        self.sockets = (client, server)
        self.ended = threading.Event()
        self.lock = threading.Lock()
        self.in_flight = {}
        self.level, self.aliases = 4, {}
        self.topics = []  # of each PUBLISH that went up whole
        _Direction(self, client, server, True).start()
        _Direction(self, server, client, False).start()

    def published(self, flags, body):
        topic, packet_id, payload = wire.publish_parts(flags, body, self.level, self.aliases)
        self.topics.append(topic)
        if topic.endswith("/batch"):
            self.in_flight[packet_id] = payload
            with self.proxy.lock:
                self.proxy.published.add(payload)
                self.proxy.dup_flags.append(bool(flags & 8))
                self.proxy.publish_sizes.append(len(body) + (2 if len(body) < 128 else 3))

    def acknowledged(self, packet_id):
        payload = self.in_flight.pop(packet_id, None)
        if payload is not None:
            with self.proxy.lock:
                self.proxy.acknowledged.add(payload)

    def end(self):
        """Ends both ways now; what was passed before still reaches its end, unless by RST."""
        with self.lock:
            if self.ended.is_set():
                return
            self.ended.set()
        client, server = self.sockets
        if self.fault.reset:
            for one in self.sockets:
                self._close(one, reset=True)
            return
        self._close(client)
        try:
            server.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        threading.Thread(target=self._drain, args=(server,), daemon=True).start()

    def _drain(self, server):
        """Reads what the broker still answers until it ends too. A socket that is closed before
        that answers with RST, upon which Mosquitto drops what it had not read yet."""
        try:
            server.settimeout(DRAIN_S)
            while server.recv(65536):
                pass
        except OSError:
            pass
        self._close(server)

    @staticmethod
    def _close(one, reset=False):
        try:
            if reset:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            # SHUT_RD sends nothing, but wakes the reader, so that close closes.
            one.shutdown(socket.SHUT_RD if reset else socket.SHUT_RDWR)
        except OSError:
            pass
        one.close()


class Proxy:
    def __init__(self, upstream_port, refusing=False, opaque=False, address="127.0.0.1"):
        self.upstream_port = upstream_port
        self.address = address         # where it listens
        self.opaque = opaque           # what passes is no MQTT that could be booked: TLS
        self.lock = threading.Lock()
        self.published = Records()     # went up whole
        self.acknowledged = Records()  # and their PUBACK came down whole
        self.dup_flags = []
        self.publish_sizes = []
        self.fault = Fault()           # the standing one
        self.plan = queue.Queue()      # one Fault a connection, taken first
        self.connections = []
        self.accepted = 0
        self.open = True
        self.port = 0
        self.refuse()
        if not refusing:
            self.listen()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def refuse(self):
        """Keeps the port, but connections to it are refused, as if nobody were there."""
        if self.port:
            self._close_listener()
            self.cut_all()
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        self.listener = socket.socket(family)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((self.address, self.port))
        self.port = self.listener.getsockname()[1]

    def listen(self):
        self.listener.listen(64)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def _accept(self, listener):
        while self.open:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.accepted += 1
            try:
                server = socket.create_connection(("127.0.0.1", self.upstream_port), timeout=5)
                server.settimeout(None)
            except OSError:
                client.close()
                continue
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            fault = self.fault if self.plan.empty() else self.plan.get()
            self.connections = [c for c in self.connections if not c.ended.is_set()]
            self.connections.append(_Connection(self, client, server, fault))

    def cut_all(self):
        """Ends every connection that is open now."""
        for connection in list(self.connections):
            connection.end()

    def _close_listener(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()

    def close(self):
        self.open = False
        self._close_listener()
        self.cut_all()
