"""An independent reading of the wire: dunlin.v1 by the Python protobuf package, and MQTT framing.

Nothing of dunlin is used but proto/telemetry.proto, and for the arithmetic that turns columns into
points tools/decode.py, which was written from proto/SPEC.md.
"""
import os
import subprocess
import sys
import tempfile

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "tools"))
import decode  # noqa: E402

CONNECT, CONNACK, PUBLISH, PUBACK = 1, 2, 3, 4
SUBSCRIBE, SUBACK, PINGREQ, PINGRESP, DISCONNECT = 8, 9, 12, 13, 14


def _load_messages():
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "telemetry.desc")
        subprocess.run(["protoc", "-I", os.path.join(ROOT, "proto"),
                        f"--descriptor_set_out={out}", "telemetry.proto"], check=True)
        with open(out, "rb") as stream:
            described = descriptor_pb2.FileDescriptorSet.FromString(stream.read())
    pool = descriptor_pool.DescriptorPool()
    for file in described.file:
        pool.Add(file)
    factory = message_factory.MessageFactory(pool)
    names = [m.name for file in described.file for m in file.message_type]
    return {name: factory.GetPrototype(pool.FindMessageTypeByName(f"dunlin.v1.{name}"))
            for name in names}


_MESSAGES = _load_messages()
Batch = _MESSAGES["Batch"]
Samples = _MESSAGES["Samples"]
Catalog = _MESSAGES["Catalog"]
About = _MESSAGES["About"]
Stored = _MESSAGES["Stored"]


def points(batch):
    """(metric id, uptime ms, scaled integer) of each point of a dunlin.v1.Batch."""
    for metric, times, values in decode.expand(batch):
        for time, value in zip(times, values):
            yield metric, time, value


class Packets:
    """Cuts one direction of an MQTT connection into packets."""

    def __init__(self):
        self.rest = b""

    def feed(self, data):
        """The (type, flags, body) of each packet completed by `data`."""
        self.rest += data
        while True:
            size = header_size(self.rest)
            if size is None or len(self.rest) < sum(size):
                return
            head, body = size
            packet, self.rest = self.rest[:head + body], self.rest[head + body:]
            yield packet[0] >> 4, packet[0] & 15, packet[head:]


def header_size(data):
    """(bytes of the fixed header, bytes of the body), or None if the header is not all there."""
    length = 0
    for index, byte in enumerate(data[1:5]):
        length |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return index + 2, length
    return None


def protocol_level(connect_body):
    """4 for MQTT 3.1.1, 5 for version 5, from the body of a CONNECT."""
    return connect_body[2 + int.from_bytes(connect_body[:2], "big")]


def _properties(data):
    """(topic alias or None, what follows the properties) of a version 5 PUBLISH."""
    size, used = 0, 0
    while True:
        digit = data[used]
        size |= (digit & 0x7F) << (7 * used)
        used += 1
        if digit < 0x80:
            break
    properties, rest = data[used:used + size], data[used + size:]
    sizes = {0x01: 2, 0x02: 5, 0x23: 3}  # payload format, message expiry, topic alias
    while properties:
        if properties[0] == 0x23:
            return int.from_bytes(properties[1:3], "big"), rest
        known = sizes.get(properties[0]) or 3 + int.from_bytes(properties[1:3], "big")
        properties = properties[known:]
    return None, rest


def publish_parts(flags, body, level=4, aliases=None):
    """(topic, packet id or None, payload) of a PUBLISH. `aliases` remembers topics by alias."""
    size = int.from_bytes(body[:2], "big")
    topic, rest = body[2:2 + size].decode(), body[2 + size:]
    packet_id = None
    if flags >> 1 & 3:
        packet_id, rest = int.from_bytes(rest[:2], "big"), rest[2:]
    if level == 5:
        alias, rest = _properties(rest)
        if alias is not None and topic:
            aliases[alias] = topic
        elif alias is not None:
            topic = aliases[alias]
    return topic, packet_id, rest


def packet(kind, flags, body):
    length, head = len(body), bytearray([kind << 4 | flags])
    while True:
        length, digit = length >> 7, length & 0x7F
        head.append(digit | 0x80 if length else digit)
        if not length:
            return bytes(head) + body


def text(value):
    data = value.encode()
    return len(data).to_bytes(2, "big") + data
