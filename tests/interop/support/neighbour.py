"""A station on the emulated Ethernet of a firmware: answers ARP, names, the time, and DHCP.

QEMU hands it each frame of the wire in a UDP datagram on the loopback and takes what it answers, so
it serves port 53, 67 and 123 without owning one on this machine.
"""
import socket
import struct
import threading
import time

HARDWARE = bytes.fromhex("020000000035")
ADDRESS = "10.0.2.53"
DEVICE = "10.0.2.77"  # what its DHCP gives away
DNS, DHCP, TIME = 53, 67, 123
NTP_EPOCH_S = 2208988800


def _checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _packed(address):
    return socket.inet_aton(address)


class Neighbour:
    def __init__(self, names=None, dhcp=False):
        self.names = names or {}  # name -> address; others do not exist
        self.dhcp = dhcp
        self.time_known = True    # else its clock says that it is not set
        self.answers_time = True
        self.clock_offset_s = 0
        self.asked = {DNS: [], DHCP: [], TIME: []}  # names, kinds of message, questions
        self.heard = []           # frames, all of them
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", ("127.0.0.1", self.port))
        self.thread.join()
        self.socket.close()

    def options(self):
        """What QEMU is told, for a network device of the id `neighbour`."""
        return f"socket,id=neighbour,udp=127.0.0.1:{self.port},localaddr=127.0.0.1:0"

    def send_raw(self, frame):
        """Puts any bytes on the wire, once the device has said something."""
        self.socket.sendto(frame, self.sender)

    def _serve(self):
        while True:
            frame, self.sender = self.socket.recvfrom(2048)
            if not frame:
                return
            self.heard.append(frame)
            kind = frame[12:14]
            if kind == b"\x08\x06" and frame[38:42] == _packed(ADDRESS):
                self._send(frame[6:12], kind, frame[14:20] + b"\0\2" + HARDWARE
                           + _packed(ADDRESS) + frame[22:32])
            elif kind == b"\x08\x00":
                self._take(frame[6:12], frame[14:])

    def _send(self, hardware, kind, payload):
        self.socket.sendto((hardware + HARDWARE + kind + payload).ljust(60, b"\0"), self.sender)

    def _take(self, hardware, packet):
        head = (packet[0] & 15) * 4
        body = packet[head:int.from_bytes(packet[2:4], "big")]
        if packet[9] != 17 or packet[16:20] not in (_packed(ADDRESS), b"\xff" * 4):
            return
        port = int.from_bytes(body[2:4], "big")
        answer = {DNS: self._name, DHCP: self._lease, TIME: self._time}.get(port, lambda _: None)
        reply = answer(body[8:])
        if reply is not None:
            to = b"\xff" * 4 if port == DHCP else packet[12:16]
            self._send(hardware, b"\x08\x00",
                       self._udp(to, port, int.from_bytes(body[:2], "big"), reply))

    @staticmethod
    def _udp(to, source, target, payload):
        datagram = struct.pack(">HHHH", source, target, 8 + len(payload), 0) + payload
        head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(datagram), 0, 0, 64, 17, 0,
                           _packed(ADDRESS), to)
        return head[:10] + struct.pack(">H", _checksum(head)) + head[12:] + datagram

    def _name(self, question):
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode())
            at += 1 + question[at]
        name = ".".join(labels)
        self.asked[DNS].append(name)
        known = name in self.names
        head = question[:2] + struct.pack(">HHHHH", 0x8180 if known else 0x8183, 1, known, 0, 0)
        answer = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + _packed(self.names[name]) \
            if known else b""
        return head + question[12:at + 5] + answer

    def _time(self, question):
        self.asked[TIME].append(question)
        if not self.answers_time:
            return None
        now = int((time.time() + self.clock_offset_s + NTP_EPOCH_S) * 2**32)
        head = bytes([0x24, 2] if self.time_known else [0xE4, 16])
        return head + bytes(22) + question[40:48] + struct.pack(">QQ", now, now)

    def _lease(self, question):
        kind, at = 0, 240
        while question[at] != 255:
            if question[at] == 53:
                kind = question[at + 2]
            at += 2 + question[at + 1] if question[at] else 1
        self.asked[DHCP].append(kind)
        if not self.dhcp or kind not in (1, 3):
            return None
        options = [(53, bytes([2 if kind == 1 else 5])), (54, _packed(ADDRESS)),
                   (51, struct.pack(">I", 3600)), (1, _packed("255.255.255.0")),
                   (3, _packed(ADDRESS)), (6, _packed(ADDRESS)), (42, _packed(ADDRESS))]
        return (b"\2" + question[1:16] + _packed(DEVICE) + _packed(ADDRESS) + question[24:236]
                + question[236:240]
                + b"".join(bytes([tag, len(value)]) + value for tag, value in options) + b"\xff")
