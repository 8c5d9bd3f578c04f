"""Ways to write the points of one message: what the field uses, each in the shape that suits it.

A point is (metric id, uptime in ms, scaled integer); `dictionary` gives for an id what it means.
Each message stands alone. JSON, line protocol and SenML name their metrics; the Sparkplug shape and
Gorilla use ids whose dictionary travels elsewhere, as ours does.
"""
import json
import struct

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory


def sparkplug_shape():
    """A payload with the fields of Sparkplug B's data messages that our points need."""
    file = descriptor_pb2.FileDescriptorProto(name="shape.proto", package="shape", syntax="proto2")
    kinds = descriptor_pb2.FieldDescriptorProto
    metric = file.message_type.add(name="Metric")
    for name, number_, kind in (("alias", 2, kinds.TYPE_UINT64),
                                ("timestamp", 3, kinds.TYPE_UINT64),
                                ("long_value", 11, kinds.TYPE_UINT64),
                                ("double_value", 13, kinds.TYPE_DOUBLE)):
        metric.field.add(name=name, number=number_, type=kind, label=kinds.LABEL_OPTIONAL)
    payload = file.message_type.add(name="Payload")
    payload.field.add(name="timestamp", number=1, type=kinds.TYPE_UINT64,
                      label=kinds.LABEL_OPTIONAL)
    payload.field.add(name="metrics", number=2, type=kinds.TYPE_MESSAGE, type_name=".shape.Metric",
                      label=kinds.LABEL_REPEATED)
    payload.field.add(name="seq", number=3, type=kinds.TYPE_UINT64, label=kinds.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.MessageFactory(pool).GetPrototype(
        pool.FindMessageTypeByName("shape.Payload"))


PAYLOAD = sparkplug_shape()


def number(metric, value):
    return value * 10 ** metric.exponent if metric.exponent >= 0 else \
        round(value / 10 ** -metric.exponent, -metric.exponent)


def as_json(device, points, dictionary, boot_ms):
    rows = []
    for identity, uptime, value in points:
        metric = dictionary[identity]
        row = {"metric": metric.name, "time": boot_ms + uptime, "value": number(metric, value)}
        if metric.attributes:
            row["attributes"] = {a.key: a.value for a in metric.attributes}
        rows.append(row)
    return json.dumps({"device": device, "points": rows}, separators=(",", ":")).encode()


def as_lines(device, points, dictionary, boot_ms):
    lines = []
    for identity, uptime, value in points:
        metric = dictionary[identity]
        tags = "".join(f",{a.key}={a.value}" for a in metric.attributes)
        shown = f"{value}i" if metric.exponent == 0 else f"{number(metric, value)}"
        lines.append(f"{metric.name},device={device}{tags} value={shown} {boot_ms + uptime}")
    return "\n".join(lines).encode()


def as_sparkplug(_device, points, dictionary, boot_ms):
    payload = PAYLOAD(timestamp=boot_ms, seq=1)
    for identity, uptime, value in points:
        metric = dictionary[identity]
        row = payload.metrics.add(alias=identity, timestamp=boot_ms + uptime)
        if metric.exponent == 0:
            row.long_value = value & (1 << 64) - 1
        else:
            row.double_value = float(number(metric, value))
    return payload.SerializeToString()


def by_metric(points):
    series = {}
    for identity, uptime, value in points:
        series.setdefault(identity, []).append((uptime, value))
    return series


# SenML in CBOR: RFC 8428, section 6; RFC 8949

def cbor_head(kind, argument):
    if argument < 24:
        return bytes([kind << 5 | argument])
    for code, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << 8 * size:
            return bytes([kind << 5 | code]) + argument.to_bytes(size, "big")
    raise ValueError(argument)


def cbor_int(value):
    return cbor_head(0, value) if value >= 0 else cbor_head(1, -1 - value)


def cbor_float(value):
    for code, form in ((0xF9, ">e"), (0xFA, ">f")):
        try:
            packed = struct.pack(form, value)
        except (OverflowError, struct.error):
            continue
        if struct.unpack(form, packed)[0] == value:
            return bytes([code]) + packed
    return b"\xfb" + struct.pack(">d", value)


def cbor_number(metric, value):
    """The shorter of a float and a decimal fraction."""
    if metric.exponent == 0:
        return cbor_int(value)
    fraction = b"\xc4\x82" + cbor_int(metric.exponent) + cbor_int(value)
    return min(cbor_float(float(number(metric, value))), fraction, key=len)


def as_senml(device, points, dictionary, boot_ms):
    """Each metric's first record has its base name and base time, the others only t and v."""
    records = []
    for identity, rows in by_metric(points).items():
        metric = dictionary[identity]
        name = ":".join([device, metric.name, *(a.value for a in metric.attributes)]).encode()
        for i, (uptime, value) in enumerate(rows):
            pairs = [cbor_int(2) + cbor_number(metric, value)]
            if i == 0:
                pairs += [cbor_int(-2) + cbor_head(3, len(name)) + name,
                          cbor_int(-3) + cbor_float((boot_ms + uptime) / 1000)]
            else:
                pairs.append(cbor_int(6) + cbor_float((uptime - rows[0][0]) / 1000))
            records.append(cbor_head(5, len(pairs)) + b"".join(pairs))
    return cbor_head(4, len(points)) + b"".join(records)


# Gorilla: Pelkonen and others, VLDB 2015, section 4.1

class BitString:
    def __init__(self):
        self.value, self.size = 0, 0

    def put(self, value, size):
        self.value = self.value << size | value & (1 << size) - 1
        self.size += size

    def close(self):
        rest = -self.size % 8
        return (self.value << rest).to_bytes((self.size + rest) // 8, "big")


def gorilla_times(out, delta_of_delta):
    if delta_of_delta == 0:
        out.put(0, 1)
        return
    for mark, marks, size in ((0b10, 2, 7), (0b110, 3, 9), (0b1110, 4, 12)):
        if -(1 << size - 1) < delta_of_delta <= 1 << size - 1:
            out.put(mark, marks)
            out.put(delta_of_delta, size)
            return
    out.put(0b1111, 4)
    out.put(delta_of_delta, 32)


def gorilla_value(out, before, bits, window):
    """`window`: leading and trailing zeros in force; returns the one then in force."""
    xor = before ^ bits
    if xor == 0:
        out.put(0, 1)
        return window
    leading = min(64 - xor.bit_length(), 31)
    trailing = (xor & -xor).bit_length() - 1
    if window and window[0] <= leading and window[1] <= trailing:
        out.put(0b10, 2)
        out.put(xor >> window[1], 64 - window[0] - window[1])
        return window
    size = 64 - leading - trailing
    out.put(0b11, 2)
    out.put(leading, 5)
    out.put(size - 1, 6)
    out.put(xor >> trailing, size)
    return leading, trailing


def as_gorilla(_device, points, dictionary, boot_ms):
    """A start time; then for each series two bytes of id, two of count, and its bits."""
    start = boot_ms + points[0][1]
    parts = [struct.pack(">Q", start)]
    for identity, rows in by_metric(points).items():
        metric, out = dictionary[identity], BitString()
        time, delta, before, window = start, 0, None, None
        for uptime, value in rows:
            bits = struct.unpack(">Q", struct.pack(">d", float(number(metric, value))))[0]
            step = boot_ms + uptime - time
            if before is None:
                out.put(step, 14)
                out.put(bits, 64)
            else:
                gorilla_times(out, step - delta)
                window = gorilla_value(out, before, bits, window)
            time, delta, before = boot_ms + uptime, step, bits
        parts.append(struct.pack(">HH", identity, len(rows)) + out.close())
    return b"".join(parts)


TEXT_FORMS = (("JSON", as_json), ("line protocol", as_lines), ("Sparkplug shape", as_sparkplug))
FORMS = TEXT_FORMS + (("SenML in CBOR", as_senml), ("Gorilla XOR", as_gorilla))
