#!/usr/bin/python3
"""A second decoder of dunlin's records, written from proto/SPEC.md alone.

It exists to check the first one: it shares nothing with the C code but telemetry.proto, from which
protoc makes the module it imports. It prints SPEC.md's JSON lines. It never guesses: what SPEC.md
says must be refused is refused whole, with exit status 6.
"""
import argparse
import base64
import json
import math
import os
import struct
import subprocess
import sys
import tempfile
from decimal import Context, Decimal

RECORD_BYTES_MAX = 16 * 1024 * 1024
ITEMS_MAX = 1 << 16
METRIC_BYTES_MAX = 1024
MS_MAX = (1 << 53) - 1
EXACT = Context(prec=60)


class Refused(Exception):
    """SPEC.md says that this record must be refused."""


def load_messages():
    """The module protoc makes of telemetry.proto: from $DUN_PYTHON_PROTO, or made on the spot."""
    folder = os.environ.get("DUN_PYTHON_PROTO")
    if folder:
        sys.path.insert(0, folder)
        import telemetry_pb2
        return telemetry_pb2
    proto = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "proto")
    with tempfile.TemporaryDirectory() as made:
        subprocess.run(["protoc", "-I" + proto, "--python_out=" + made,
                        os.path.join(proto, "telemetry.proto")], check=True)
        sys.path.insert(0, made)
        import telemetry_pb2
    return telemetry_pb2


pb = load_messages()


def crc32c(crc, data):
    """Castagnoli's CRC, continued from `crc`."""
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def varint(data, at):
    """The varint at `at`, and where it ends."""
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise Refused("varint does not end")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return value, at


def raw_fields(data, number):
    """The bytes, as sent, of every length-delimited field `number` of one message."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        kind = tag & 7
        if kind == 0:
            _, at = varint(data, at)
        elif kind == 2:
            size, at = varint(data, at)
            if tag >> 3 == number:
                yield data[at:at + size]
            at += size
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        else:
            raise Refused("groups are not part of this contract")


def need(condition, complaint):
    if not condition:
        raise Refused(complaint)


def number_of(message, field):
    """An optional number, None when absent."""
    return getattr(message, field) if message.HasField(field) else None


def hexadecimal(number, digits):
    return None if number is None else f"{number:0{digits}x}"


def name_of(enum, number, prefix):
    if number in enum.values():
        return enum.Name(number)[len(prefix):].lower()
    return number


def attributes_of(pairs):
    return {"attributes": pairs} if pairs else {}


def special_of(value):
    """What JSON has no number for."""
    if isinstance(value, Decimal) or math.isfinite(value):
        return {}
    return {"special": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}


def state_of(metric, value):
    """What `metric` calls the integer `value`."""
    names = [] if metric is None else ["false", "true"] if \
        metric.kind == pb.METRIC_KIND_BOOLEAN else metric.states if \
        metric.kind == pb.METRIC_KIND_STATE else []
    return {"state": names[value]} if isinstance(value, int) and 0 <= value < len(names) else {}


class Bits:
    """The range coder of SPEC.md, Range coder."""

    RATES = (1, 2, 2, 3, 3, 3, 3, 4)

    def __init__(self, data):
        need(not data or data[-1] != 0, "bits end with a zero byte")
        self.data, self.at = data, 4
        self.code = int.from_bytes((data[:4] + bytes(4))[:4], "big")
        self.range = (1 << 32) - 1
        self.models = {}  # context -> [probability of a 0 in 1/4096, bits seen]
        self.restart()

    def restart(self):
        self.before = self.before_that = self.sign = 0

    def normalise(self):
        while self.range < 1 << 24:
            byte = self.data[self.at] if self.at < len(self.data) else 0
            self.at += 1
            self.code = (self.code << 8 | byte) & 0xFFFFFFFF
            self.range <<= 8

    def bit(self, *context):
        model = self.models.setdefault(context, [2048, 0])
        bound = (self.range >> 12) * model[0]
        rate = self.RATES[model[1]]
        bit = int(self.code >= bound)
        if bit:
            self.code -= bound
            self.range -= bound
            model[0] -= model[0] >> rate
        else:
            self.range = bound
            model[0] += (4096 - model[0]) >> rate
        model[1] = min(model[1] + 1, 7)
        self.normalise()
        return bit

    def direct(self, count):
        value = 0
        while count > 0:
            piece = min(count, 16)
            self.range >>= piece
            digit = self.code // self.range
            need(digit < 1 << piece, "direct bits out of range")
            self.code -= digit * self.range
            self.normalise()
            value, count = value << piece | digit, count - piece
        return value

    def tree(self, depth, *context):
        node = 1
        for _ in range(depth):
            node = node << 1 | self.bit(*context, node)
        return node - (1 << depth)

    def value(self):
        zero = not self.bit("zero", self.before, self.before_that != 0)
        self.before_that = self.before
        if zero:
            self.before = self.sign = 0
            return 0
        negative = self.bit("sign", self.sign)
        self.sign = 2 if negative else 1
        length = 1
        while length <= 6 and self.bit("length", length):
            length += 1
        if length > 6:
            length += self.tree(6, "longer")
        need(length <= 64, "a residual is longer than 64 bits")
        size, below = 1, length - 1
        if 2 <= length <= 9:
            learnt = min(below, 2)
            size, below = size << learnt | self.tree(learnt, "top", length), below - learnt
        size = size << below | self.direct(below)
        self.before = 1 if size < 4 else 2
        return -size if negative else size

    def number(self):
        below = self.direct(6)
        size = 1 << below | self.direct(below) if below else self.direct(1)
        return -size if size and self.bit("flag", 3) else size

    def row(self, gap):
        return self.bit("row", min(gap, 15))

    def step(self):
        if not self.bit("flag", 0):
            return 1
        odd = self.bit("flag", 1)
        below = self.direct(6)
        need(below <= 31, "a step is out of range")
        return 1 << below | (self.direct(below) if odd else 0)

    def end(self):
        need(self.at >= len(self.data), "bits are left over")


def signed(value):
    """`value` modulo 2^64, as a signed number."""
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


def scaled(integer, exponent):
    """The double nearest to integer * 10^exponent: Python's division of integers rounds once."""
    return float(integer * 10 ** exponent) if exponent >= 0 else integer / 10 ** -exponent


def axis_times(batch, axis):
    """Uptimes of the rows of an axis whose number of rows was checked."""
    start = batch.base_uptime_ms + axis.first_ms
    if not axis.HasField("rows"):
        t = [start]
        for i in range(axis.count - 1):
            t.append(t[-1] + axis.interval_ms + (axis.jitter_ms[i] if axis.jitter_ms else 0))
        return t
    need(not axis.HasField("count") and not axis.jitter_ms, "an axis with count and rows")
    need(axis.coding in (0, DELTA, LEVEL), "an axis is coded as DELTA or LEVEL")
    bits, t, leave = Bits(axis.bits), [start], 0
    for i in range(1, axis.rows):
        leave = bits.value() + (0 if axis.coding == LEVEL else leave)
        need(abs(leave) <= MS_MAX, "uptime out of range")
        t.append(start + i * axis.interval_ms + leave)
    bits.end()
    return t


ZERO, CONSTANT, DELTA, DELTA2, LEVEL, LIKE, UNLIKE, SKIP, ROWS, SAME_ROWS, REAL = range(1, 12)


class Columns:
    """The columns of one Column message; `left`, `rows_left`: what the record may yet hold."""

    def __init__(self, column, times, left, rows_left):
        self.bits, self.codings = Bits(column.bits), column.codings
        self.metric, self.left, self.rows_left = column.metric, left, rows_left
        self.sets, self.times, self.like, self.real = [times], times, None, False

    def take(self, count, columns=1):
        need(self.metric + columns - 1 <= 0xFFFFFFFF, "metric id out of range")
        self.left -= count * columns
        need(self.left >= 0, "too many points")
        self.metric += columns
        return self.metric - columns

    def chosen(self, rows):
        """The numbers of those of `rows` rows that are marked."""
        marked, gap = [], 0
        for i in range(rows):
            if self.bits.row(gap):
                marked.append(i)
                gap = 0
            else:
                gap += 1
        need(marked, "no row is marked")
        return marked

    def new_rows(self):
        self.rows_left -= len(self.sets[0])
        need(self.rows_left >= 0, "too many rows")
        self.sets.append([self.sets[0][i] for i in self.chosen(len(self.sets[0]))])
        self.times, self.like = self.sets[-1], None

    def values(self, coding):
        """The values of one column that is not ZERO, in the rows in force."""
        rows = len(self.times)
        if not self.real:
            if coding == CONSTANT:
                return [signed(self.bits.number())] * rows
            values = self.varying(coding, rows)
            self.like = values
            return values
        odd = self.chosen(rows) if self.bits.bit("flag", 4) else []
        need(not odd or coding not in (LIKE, UNLIKE), "a column with exceptions is like none")
        doubles = {i: struct.unpack("<d", struct.pack("<q", bits))[0]
                   for i, bits in zip(odd, self.varying(DELTA, len(odd)) if odd else ())}
        if len(odd) == rows:
            return [doubles[i] for i in range(rows)]
        exponent = self.bits.direct(6) - 32
        need(abs(exponent) <= 22, "exponent out of range")
        rest = rows - len(odd)
        integers = [signed(self.bits.number())] * rest if coding == CONSTANT else \
            self.varying(coding, rest)
        need(all(abs(q) <= 1 << 53 for q in integers), "an integer is too large for a double")
        if coding != CONSTANT and not odd:
            self.like = integers
        exact = iter(integers)
        return [doubles[i] if i in doubles else scaled(next(exact), exponent)
                for i in range(rows)]

    def varying(self, coding, rows):
        bits, step = self.bits, self.bits.step()
        scale = step if step > 1 and bits.bit("flag", 2) else 1
        value = bits.number() * scale
        need(coding not in (LIKE, UNLIKE) or self.like, "there is no column to be like")
        if coding == LIKE:
            value += self.like[0]
        values, delta = [signed(value)], 0
        bits.restart()
        for i in range(1, rows):
            x = bits.value() * step
            if coding == LEVEL:
                value = values[0] + x
            else:
                other = self.like[i] - self.like[i - 1] if coding in (LIKE, UNLIKE) else 0
                delta = x + {DELTA2: delta, LIKE: other, UNLIKE: -other}.get(coding, 0)
                value = values[-1] + delta
            values.append(signed(value))
        return values

    def __iter__(self):
        """(metric id, uptimes, values) of each column."""
        for entry in self.codings:
            coding, more = entry % 16, entry // 16
            rows = len(self.times)
            if coding == SKIP:
                self.metric += more + 1
            elif coding == ROWS:
                need(more == 0, "a set of rows is told once")
                self.new_rows()
            elif coding == SAME_ROWS:
                need(more < len(self.sets), "there is no such set of rows")
                self.times, self.like = self.sets[more], None
            elif coding == REAL:
                need(more <= 1, "columns are of integers or of doubles")
                self.real = more == 1
            elif coding == ZERO:
                first = self.take(rows, more + 1)
                for metric in range(first, self.metric):
                    yield metric, self.times, [0.0 if self.real else 0] * rows
            else:
                need(CONSTANT <= coding <= UNLIKE, "an unknown coding")
                for _ in range(more + 1):
                    yield self.take(rows), self.times, self.values(coding)
        self.bits.end()


def expand(batch):
    """(metric id, uptimes, values) of each column of a Batch, all checked."""
    need(batch.base_uptime_ms <= MS_MAX, "base_uptime_ms out of range")
    counts = [axis.rows if axis.HasField("rows") else axis.count for axis in batch.axes]
    need(all(counts), "an axis without rows")
    left, rows_left = ITEMS_MAX, ITEMS_MAX - sum(counts)
    need(rows_left >= 0, "too many rows")
    axes = []
    for axis in batch.axes:
        need(axis.HasField("rows") or len(axis.jitter_ms) in (0, axis.count - 1),
             "jitter does not match the rows")
        t = axis_times(batch, axis)
        need(min(t) >= 0 and max(t) <= MS_MAX, "uptime out of range")
        axes.append(t)
    need(len(batch.columns) <= ITEMS_MAX, "too many columns")
    columns = []
    for column in batch.columns:
        need(column.axis < len(axes), "a column names an axis that is not there")
        times = axes[column.axis]
        if column.codings:
            need(not column.HasField("first") and not column.deltas, "a column of two forms")
            need(len(column.codings) <= ITEMS_MAX, "too many codings")
            coded = Columns(column, times, left, rows_left)
            columns += coded
            left, rows_left = coded.left, coded.rows_left
            continue
        need(column.HasField("metric") and column.HasField("first"),
             "a column needs metric and first, or codings")
        need(len(column.deltas) in (0, len(times) - 1), "deltas do not match the rows")
        left -= len(times)
        need(left >= 0, "too many points")
        values = [column.first]
        for i in range(1, len(times)):
            values.append(signed(values[-1] + (column.deltas[i - 1] if column.deltas else 0)))
        columns.append((column.metric, times, values))
    return columns


class Decoder:
    """What a reader remembers between records: dictionaries and anchors."""

    def __init__(self):
        self.links = {}    # (device, stream, hash) -> (hash of the base, metrics)
        self.anchors = {}  # (device, stream, boot) -> (uptime, unix)

    # Dictionaries

    def metric(self, device, stream, hash_, id_):
        """Metric `id_` of that dictionary, or None. A link adds to the dictionary it extends."""
        first_above = None
        while hash_:
            link = self.links.get((device, stream, hash_))
            if link is None:
                return None
            base, metrics = link
            first, last = metrics[0].id, metrics[-1].id
            if first_above is not None and last + 1 != first_above:
                return None
            if id_ > last:
                return None
            if id_ >= first:
                return metrics[id_ - first]
            hash_, first_above = base, first
        return None

    def learn(self, device, stream, base, hash_, metrics):
        known = self.links.get((device, stream, hash_))
        if metrics and (known is None or metrics[0].id < known[1][0].id):
            self.links[device, stream, hash_] = (base, list(metrics))

    def check_metrics(self, metrics, raw, base, hash_):
        need(len(metrics) <= ITEMS_MAX, "too many metrics")
        crc = base
        for message in raw:
            need(len(message) <= METRIC_BYTES_MAX, "a metric is too large")
            crc = crc32c(crc, message)
        need(crc == hash_, "the dictionary's hash does not come out")
        for i, metric in enumerate(metrics):
            need(metric.HasField("id") and metric.name, "a metric needs an id and a name")
            need(metric.id == metrics[0].id + i, "metric ids do not continue")
            need(-18 <= metric.exponent <= 18, "exponent out of range")
        if metrics and base == 0:
            need(metrics[0].id == 0, "the first id of a dictionary is 0")

    # Dates

    def date(self, device, stream, boot, uptime, offset=None):
        if uptime is None or boot is None:
            return None
        if offset is None:
            anchor = self.anchors.get((device, stream, boot))
            if anchor is None:
                return None
            offset = anchor[1] - anchor[0]
        return uptime + offset

    def check_notes(self, record):
        need(max(len(record.anchors), len(record.losses)) <= ITEMS_MAX, "too many notes")
        for anchor in record.anchors:
            need(anchor.HasField("boot") and anchor.HasField("uptime_ms")
                 and anchor.HasField("unix_ms"), "an anchor needs boot, uptime_ms and unix_ms")
            need(anchor.uptime_ms <= MS_MAX and abs(anchor.unix_ms) <= MS_MAX,
                 "anchor out of range")
        for loss in record.losses:
            if loss.HasField("first") or loss.HasField("last"):
                need(1 <= loss.first <= loss.last, "a loss range is not a range")
            else:
                need(loss.HasField("points"), "a loss without range and points")
            need(loss.uptime_ms <= MS_MAX, "loss out of range")

    def notes(self, device, record, own=(None, None)):
        """Takes the anchors in, then gives anchors and losses as objects."""
        stream, seq = number_of(record, "stream"), number_of(record, "sequence")
        head = {"stream": hexadecimal(stream, 16), "seq": seq}
        for anchor in record.anchors:
            key = (device, stream, anchor.boot)
            known = self.anchors.get(key)
            if known is None or anchor.uptime_ms >= known[0]:
                self.anchors[key] = (anchor.uptime_ms, anchor.unix_ms)
            yield {"type": "anchor", "device": device, **head,
                   "boot": hexadecimal(anchor.boot, 8), "uptime_ms": anchor.uptime_ms,
                   "time": anchor.unix_ms,
                   "cause": name_of(pb.AnchorCause, anchor.cause, "ANCHOR_CAUSE_")}
        for loss in record.losses:
            boot, uptime = number_of(loss, "boot"), number_of(loss, "uptime_ms")
            offset = own[1] if boot == own[0] else None
            yield {"type": "loss", "device": device, **head, "first": number_of(loss, "first"),
                   "last": number_of(loss, "last"),
                   "reason": name_of(pb.LossReason, loss.reason, "LOSS_REASON_"),
                   "points": number_of(loss, "points"), "boot": hexadecimal(boot, 8),
                   "uptime_ms": uptime, "time": self.date(device, stream, boot, uptime, offset),
                   **({"code": loss.code} if loss.HasField("code") else {})}

    def metrics(self, device, stream, seq, hash_, metrics):
        for metric in metrics:
            yield {"type": "metric", "device": device, "stream": hexadecimal(stream, 16),
                   "seq": seq, "catalog": hexadecimal(hash_, 8), "id": metric.id,
                   "metric": metric.name, "unit": metric.unit, "exponent": metric.exponent,
                   "kind": name_of(pb.MetricKind, metric.kind, "METRIC_KIND_"),
                   **attributes_of({a.key: a.value for a in metric.attributes}),
                   **({"states": list(metric.states)} if metric.states else {})}

    # Messages

    def batch(self, device, data):
        batch = parse(pb.Batch, data)
        need(batch.HasField("stream") and batch.sequence >= 1 and batch.HasField("boot"),
             "a batch needs stream, sequence and boot")
        if batch.columns:
            need(batch.HasField("catalog") and batch.HasField("base_uptime_ms"),
                 "columns need catalog and base_uptime_ms")
        need(abs(batch.boot_unix_ms) <= MS_MAX, "boot_unix_ms out of range")
        columns = expand(batch)
        self.check_notes(batch)
        if batch.metrics:
            need(batch.HasField("catalog"), "an announcement needs catalog")
            self.check_metrics(batch.metrics, raw_fields(data, 12), batch.catalog_base,
                               batch.catalog)
            self.learn(device, batch.stream, batch.catalog_base, batch.catalog, batch.metrics)
        lines = list(self.metrics(device, batch.stream, batch.sequence, batch.catalog,
                                  batch.metrics))
        offset = number_of(batch, "boot_unix_ms")
        lines += self.notes(device, batch, (batch.boot, offset))
        for metric, times, values in columns:
            lines += self.column(device, batch, metric, times, values, offset)
        return lines

    def column(self, device, batch, id_, times, values, offset):
        metric = self.metric(device, batch.stream, batch.catalog, id_)
        for t, v in zip(times, values):
            value = v if isinstance(v, float) else Decimal(v)
            if metric is not None and isinstance(v, int):
                value = value.scaleb(metric.exponent, EXACT)
            yield {"type": "point", "device": device,
                   "metric": metric.name if metric is not None else f"#{id_}",
                   "unit": metric.unit if metric is not None else None, "value": value,
                   "time": self.date(device, batch.stream, batch.boot, t, offset),
                   "boot": hexadecimal(batch.boot, 8), "uptime_ms": t,
                   "stream": hexadecimal(batch.stream, 16), "seq": batch.sequence,
                   **attributes_of({a.key: a.value for a in metric.attributes}
                                   if metric is not None else {}),
                   **state_of(metric, v), **special_of(value)}

    def samples(self, device, data):
        record = parse(pb.Samples, data)
        self.check_notes(record)
        need(len(record.samples) <= ITEMS_MAX, "too many points")
        for raw in raw_fields(data, 1):
            need(len(raw) <= METRIC_BYTES_MAX, "a sample is too large")
        for sample in record.samples:
            need(sample.HasField("value") and sample.metric, "a sample needs metric and value")
            need(abs(sample.time) <= MS_MAX and sample.uptime_ms <= MS_MAX, "time out of range")
        lines = list(self.notes(device, record))
        stream = number_of(record, "stream")
        for sample in record.samples:
            boot, uptime = number_of(sample, "boot"), number_of(sample, "uptime_ms")
            time = number_of(sample, "time")
            if time is None:
                time = self.date(device, stream, boot, uptime)
            lines.append({"type": "point", "device": device or sample.device,
                          "metric": sample.metric, "unit": sample.unit, "value": sample.value,
                          "time": time, "boot": hexadecimal(boot, 8), "uptime_ms": uptime,
                          "stream": hexadecimal(stream, 16), "seq": number_of(record, "sequence"),
                          **attributes_of({a.key: a.value for a in sample.attributes}),
                          **({"state": sample.state} if sample.state else {}),
                          **special_of(sample.value)})
        return lines

    def about(self, device, data):
        about = parse(pb.About, data)
        return [{"type": "about", "device": device or about.device, "fleet": about.fleet,
                 "board": about.board, "firmware": about.firmware,
                 "stream": hexadecimal(number_of(about, "stream"), 16),
                 "boot": hexadecimal(number_of(about, "boot"), 8),
                 "catalog": hexadecimal(number_of(about, "catalog"), 8),
                 "encoding": about.encoding, "volatile": number_of(about, "volatile_stream"),
                 "profile": {knob.name: number_of(knob, "value") for knob in about.profile},
                 **({"oldest": about.oldest_sequence} if about.HasField("oldest_sequence")
                    else {})}]

    def catalog(self, device, data):
        catalog = parse(pb.Catalog, data)
        need(catalog.HasField("stream") and catalog.HasField("hash"),
             "a catalog needs stream and hash")
        self.check_metrics(catalog.metrics, raw_fields(data, 3), 0, catalog.hash)
        self.learn(device, catalog.stream, 0, catalog.hash, catalog.metrics)
        return list(self.metrics(device, catalog.stream, None, catalog.hash, catalog.metrics))

    def stored(self, device, data):
        stored = parse(pb.Stored, data)
        need(stored.HasField("stream") and stored.HasField("sequence"),
             "stored needs stream and sequence")
        return [{"type": "stored", "device": device, "stream": hexadecimal(stored.stream, 16),
                 "seq": stored.sequence}]

    def config(self, device, data):
        config = parse(pb.Config, data)
        need(config.version > 0, "a config needs a version")
        return [{"type": "config", "device": device, "version": config.version,
                 "settings": [self.setting(setting) for setting in config.settings]}]

    def reported(self, device, data):
        report = parse(pb.ConfigReport, data)
        lines = []
        for outcome in report.outcomes:
            line = {**self.setting(outcome), "verdict": word(pb.Verdict, outcome.verdict)}
            if outcome.verdict == pb.VERDICT_OUT_OF_RANGE:
                line.update(low=outcome.low, high=outcome.high)
            lines.append(line)
        return [{"type": "config_report", "device": device, "version": report.version or None,
                 "running": report.running or None, "state": word(pb.ConfigState, report.state),
                 "refusal": word(pb.ConfigRefusal, report.refusal) if report.refusal else None,
                 "refused": report.refused or None, "size_max": report.size_max or None,
                 "volatile": report.volatile_config, "settings": lines}]

    @staticmethod
    def setting(setting):
        for text in (setting.key, setting.name):
            need(all(" " <= letter <= "~" for letter in text), "a key or name is not plain text")
        need(abs(setting.exponent) <= 18, "an exponent is out of range")
        value = (Decimal(setting.value).scaleb(setting.exponent, EXACT)
                 if setting.HasField("value") else None)
        return {"key": setting.key, **({"name": setting.name} if setting.name else {}),
                "value": value}

    def decode(self, kind, device, data):
        """The JSON objects that one payload holds, or Refused."""
        need(len(data) <= RECORD_BYTES_MAX, "record too large")
        return {"batch": self.batch, "samples": self.samples, "about": self.about,
                "catalog": self.catalog, "stored": self.stored, "config": self.config,
                "reported": self.reported}[kind](device, data)


def parse(message_type, data):
    message = message_type()
    try:
        message.ParseFromString(data)
    except Exception as error:
        raise Refused(f"not a {message_type.DESCRIPTOR.name}: {error}") from None
    return message


def print_decimal(value):
    """No exponent, no trailing zero after a point: SPEC.md, JSON lines."""
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def word(enum, number):
    """The name of an enum's value, in small letters without its prefix; "?" if it is unknown."""
    if number == 0 or number not in enum.values():
        return "?"
    prefix = os.path.commonprefix(enum.keys())
    return enum.Name(number)[len(prefix):].lower()


def to_json(line):
    """JSON with exact decimals, which the json module alone would make floats."""
    if isinstance(line, list):
        return "[" + ",".join(to_json(item) for item in line) + "]"
    parts = []
    for key, value in line.items():
        if isinstance(value, float) and not math.isfinite(value):
            value = None
        if isinstance(value, list) and value and isinstance(value[0], dict):
            text = to_json(value)
        elif isinstance(value, Decimal):
            text = print_decimal(value)
        else:
            text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        parts.append(json.dumps(key) + ":" + text)
    return "{" + ",".join(parts) + "}"


def records(data, framing):
    """The payloads in a file."""
    if framing == "bare":
        yield data
    elif framing == "delimited":
        at = 0
        while at < len(data):
            size, at = varint(data, at)
            need(at + size <= len(data), "the last record is cut off")
            yield data[at:at + size]
            at += size
    else:
        for line in data.decode("ascii", "replace").splitlines():
            word = line.split()[-1:]
            try:
                if word and framing == "hex":
                    yield bytes.fromhex(word[0])
                elif word:
                    yield base64.b64decode(word[0], validate=True)
            except ValueError:
                yield None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--type", default="batch",
                        choices=["batch", "samples", "about", "catalog", "stored", "config",
                                 "reported"])
    parser.add_argument("--framing", default="bare",
                        choices=["bare", "delimited", "hex", "base64"])
    parser.add_argument("--device", default="")
    parser.add_argument("--catalog")
    parser.add_argument("files", nargs="+", metavar="FILE")
    options = parser.parse_args()
    decoder, refused = Decoder(), False
    if options.catalog:
        with open(options.catalog, "rb") as file:
            decoder.decode("catalog", options.device, file.read())
    for name in options.files:
        with (sys.stdin.buffer if name == "-" else open(name, "rb")) as file:
            data = file.read()
        try:
            for count, record in enumerate(records(data, options.framing), 1):
                try:
                    need(record is not None, f"not {options.framing}")
                    for line in decoder.decode(options.type, options.device, record):
                        print(to_json(line))
                except Refused as error:
                    print(f"decode.py: {name}: record {count}: {error}", file=sys.stderr)
                    refused = True
        except Refused as error:
            print(f"decode.py: {name}: {error}", file=sys.stderr)
            refused = True
    return 6 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
