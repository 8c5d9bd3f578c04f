"""Makes records by proto/SPEC.md: the golden ones, random valid ones, and hostile ones.

It encodes with the protobuf package, from telemetry.proto. `golden/make.py` writes the golden
files with it once; the tests draw random records from it.
"""
import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "..", "tools")]
sys.dont_write_bytecode = True
import coded  # noqa: E402
from decode import crc32c, pb  # noqa: E402

STREAM = 0x0123456789ABCDEF
BOOT = 0x00B007ED


def metric(id_, name, unit, exponent=None, kind=pb.METRIC_KIND_GAUGE, states=(), **attributes):
    made = pb.Metric(id=id_, name=name, unit=unit, kind=kind, states=states)
    if exponent is not None:
        made.exponent = exponent
    for key, value in attributes.items():
        made.attributes.add(key=key.replace("__", "."), value=value)
    return made


def dictionary_hash(metrics, base=0):
    for one in metrics:
        base = crc32c(base, one.SerializeToString())
    return base


def signed(value):
    """`value` modulo 2^64 as a signed number."""
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


def add_axis(batch, uptimes, jitter=None):
    """A time axis through these uptimes. Jitter is written only where it is not zero throughout."""
    steps = [b - a for a, b in zip(uptimes, uptimes[1:])]
    interval = max(0, sorted(steps)[len(steps) // 2]) if steps else 0
    axis = batch.axes.add(count=len(uptimes), first_ms=uptimes[0] - batch.base_uptime_ms)
    if interval:
        axis.interval_ms = interval
    off = [step - interval for step in steps]
    if jitter if jitter is not None else any(off):
        axis.jitter_ms.extend(off)
    return len(batch.axes) - 1


def add_column(batch, metric_id, axis, values):
    column = batch.columns.add(metric=metric_id, first=values[0])
    if axis:
        column.axis = axis
    deltas = [signed(b - a) for a, b in zip(values, values[1:])]
    if any(deltas):
        column.deltas.extend(deltas)
    return column


def add_coded_axis(batch, uptimes, coding):
    """The same axis as rows that leave a grid."""
    steps = [b - a for a, b in zip(uptimes, uptimes[1:])]
    interval = max(0, sorted(steps)[len(steps) // 2]) if steps else 0
    writer, before = coded.Writer(), 0
    for i, uptime in enumerate(uptimes[1:], 1):
        leave = uptime - uptimes[0] - i * interval
        writer.value(leave - (before if coding == coded.DELTA else 0))
        before = leave
    batch.axes.add(rows=len(uptimes), first_ms=uptimes[0] - batch.base_uptime_ms,
                   interval_ms=interval, coding=coding, bits=writer.end())
    return len(batch.axes) - 1


def add_coded(batch, metric_id, axis, columns):
    made = batch.columns.add(metric=metric_id, codings=columns.codings, bits=columns.writer.end())
    if axis:
        made.axis = axis
    return made


HOST_METRICS = [
    metric(0, "system.memory.usage", "By", system__memory__state="used"),
    metric(1, "system.cpu.utilization", "1", -4, cpu__mode="user", cpu__logical_number="0"),
    metric(2, "hw.temperature", "Cel", -3),
    metric(3, "system.network.io", "By", 0, pb.METRIC_KIND_COUNTER,
           network__interface__name="eth0", network__io__direction="receive"),
    metric(4, "system.filesystem.limit", "By", 6, system__filesystem__mountpoint="/"),
]


def host_batch():
    """What a usual device sends: announcement, a clock, a constant column, a counter that wraps."""
    batch = pb.Batch(stream=STREAM, sequence=1, boot=BOOT, base_uptime_ms=5000,
                     boot_unix_ms=1767225600000, catalog=dictionary_hash(HOST_METRICS))
    batch.metrics.extend(HOST_METRICS)
    regular = add_axis(batch, [5000, 10000, 15000, 20000])
    jittered = add_axis(batch, [5003, 9998, 15041, 20000])
    add_column(batch, 0, regular, [4096 * 1000, 4096 * 1010, 4096 * 990, 0])
    add_column(batch, 1, jittered, [0, 125, 10000, 1])
    add_column(batch, 2, regular, [-273150, -1, 1000, 21500])
    add_column(batch, 3, regular, [(1 << 63) - 1, -(1 << 63), -(1 << 63), 0])
    add_column(batch, 4, jittered, [500107, 500107, 500107, 500107])
    return batch


def undated_batch():
    """No clock, and a dictionary that this file does not hold."""
    batch = pb.Batch(stream=STREAM, sequence=2, boot=BOOT, base_uptime_ms=0, catalog=0xDEADBEEF)
    add_column(batch, 7, add_axis(batch, [0]), [42])
    return batch


def ledger_batch():
    """No points: losses of every kind, anchors of two boots, the first of them stepped."""
    batch = pb.Batch(stream=STREAM, sequence=(1 << 40) + 9, boot=BOOT)
    batch.losses.add(first=1, last=1, reason=pb.LOSS_REASON_OVERFLOW, boot=BOOT, uptime_ms=1000)
    batch.losses.add(first=3, last=1 << 40, reason=pb.LOSS_REASON_MERGED, points=12)
    batch.losses.add(points=17, reason=pb.LOSS_REASON_STORAGE, boot=BOOT - 1, uptime_ms=0)
    batch.losses.add(first=5, last=6, boot=99, uptime_ms=1)
    batch.anchors.add(boot=BOOT, uptime_ms=900, unix_ms=86400000, cause=pb.ANCHOR_CAUSE_KNOWN)
    batch.anchors.add(boot=BOOT, uptime_ms=1000, unix_ms=1767225601000,
                      cause=pb.ANCHOR_CAUSE_STEPPED)
    batch.anchors.add(boot=BOOT - 1, uptime_ms=0, unix_ms=-1, cause=pb.ANCHOR_CAUSE_PERIODIC)
    return batch


def anchored_batch():
    """Points before the clock was known, dated by the anchor that travels with them."""
    batch = pb.Batch(stream=STREAM, sequence=3, boot=BOOT, base_uptime_ms=10,
                     catalog=dictionary_hash(HOST_METRICS))
    batch.anchors.add(boot=BOOT, uptime_ms=60000, unix_ms=1767225660000,
                      cause=pb.ANCHOR_CAUSE_KNOWN)
    add_column(batch, 0, add_axis(batch, [10, 10, 10]), [0, 0, 0])
    return batch


def growing_stream():
    """A catalog that grows: the second announcement extends the first by its hash."""
    first, second = HOST_METRICS[:2], HOST_METRICS[2:]
    base = dictionary_hash(first)
    one = pb.Batch(stream=STREAM, sequence=1, boot=BOOT, catalog=base)
    one.metrics.extend(first)
    two = pb.Batch(stream=STREAM, sequence=2, boot=BOOT, catalog=dictionary_hash(second, base),
                   catalog_base=base, base_uptime_ms=100)
    two.metrics.extend(second)
    axis = add_axis(two, [100, 200])
    for id_ in range(5):
        add_column(two, id_, axis, [id_, id_ + 1])
    three = pb.Batch(stream=STREAM, sequence=3, boot=BOOT, catalog=base, base_uptime_ms=300,
                     boot_unix_ms=0)
    axis = add_axis(three, [300])
    add_column(three, 1, axis, [5000])
    add_column(three, 2, axis, [5000])  # not in the smaller dictionary
    return [one, two, three]


def coded_batch(axis=None):
    """Every coding, on one axis of eight rows."""
    batch = pb.Batch(stream=STREAM, sequence=11, boot=BOOT, base_uptime_ms=600000,
                     boot_unix_ms=1767225600000, catalog=7)
    walk = [1000, 1003, 1003, 999, 1002, 1002, 1002, 1010]
    uptimes = axis or [600000 + 1000 * i for i in range(8)]
    columns = coded.Columns(8)
    columns.tell(coded.ZERO, 3)                                                    # 0 to 2
    columns.constant(25276510208)
    columns.constant(-(1 << 63))
    columns.varying(coded.DELTA, walk)                                             # 5
    columns.varying(coded.LIKE, [value + 17 for value in walk])
    columns.varying(coded.UNLIKE, [5000 - value for value in walk])
    columns.tell(coded.SKIP, 40)
    columns.varying(coded.DELTA2, [i * i for i in range(8)])                       # 48
    columns.varying(coded.LEVEL, [0, 0, 9901, 0, 99, 0, 0, 198])
    columns.varying(coded.DELTA, [4096 * value for value in walk], step=4096)
    columns.varying(coded.DELTA, [16 + 1000 * value for value in walk], step=1000)
    columns.varying(coded.DELTA, [(1 << 63) - 1, -(1 << 63)] * 4)
    columns.varying(coded.LEVEL, [(-3) ** (5 * i) for i in range(8)])              # 53
    if axis:
        add_coded_axis(batch, uptimes, coded.LEVEL)
    else:
        add_axis(batch, uptimes)
    add_coded(batch, 0, 0, columns)
    return batch


def jitter_batch():
    """Rows that leave the grid and come back, and a second axis whose grid drifts."""
    batch = coded_batch([600000, 601001, 602000, 603000, 604002, 605000, 606000, 607000])
    batch.sequence = 12
    add_coded_axis(batch, [600300, 601301, 602302, 603304, 604305], coded.DELTA)
    columns = coded.Columns(5)
    columns.varying(coded.DELTA, [1, 2, 2, 2, 1])
    add_coded(batch, 60, 1, columns)
    return batch


def sparse_batch():
    """Metrics that have only some of the rows of the axis, and one that has all."""
    batch = pb.Batch(stream=STREAM, sequence=13, boot=BOOT, base_uptime_ms=0, catalog=7)
    add_axis(batch, [500 * i for i in range(40)])
    columns, every = coded.Columns(40), [i % 10 == 0 for i in range(40)]
    columns.varying(coded.DELTA, [7 * i % 5 for i in range(40)])
    columns.choose_rows(every)
    columns.constant(1)
    columns.tell(coded.ZERO, 2)
    columns.choose_rows([i in (3, 4, 39) for i in range(40)])
    columns.varying(coded.DELTA, [20, 30, 25])
    columns.varying(coded.LIKE, [21, 31, 26])
    columns.recall_rows(1, 4)
    columns.varying(coded.LEVEL, [-1, 1, -1, 1])
    columns.recall_rows(0, 40)
    columns.tell(coded.ZERO)
    add_coded(batch, 4, 0, columns)
    return batch


STATE_METRICS = [
    metric(0, "door", "1", kind=pb.METRIC_KIND_STATE, states=["closed", "ajar", "open \"wide\""]),
    metric(1, "lamp", "1", kind=pb.METRIC_KIND_BOOLEAN),
    metric(2, "flow", "m3/h", -9),
]


def reals_batch():
    """Doubles: decimals, some with what is none among them, noise, and nothing but zeros."""
    batch = pb.Batch(stream=STREAM, sequence=14, boot=BOOT, base_uptime_ms=0, catalog=7,
                     boot_unix_ms=1767225600000)
    add_axis(batch, [1000 * i for i in range(6)])
    columns, inf, nan = coded.Columns(6), float("inf"), float("nan")
    columns.choose_reals(True)
    columns.tell(coded.ZERO, 2)                                                    # 0, 1
    columns.reals(coded.CONSTANT, [1.25e-3] * 6, -5)
    columns.reals(coded.DELTA, [21.5, 21.6, 21.6, 21.55, -21.5, 21.5], -2)
    columns.reals(coded.LIKE, [0.215, 0.217, 0.217, 0.217, -0.2, 0.2], -4)
    columns.reals(coded.LEVEL, [0.1, nan, 0.3, -0.0, inf, 0.1], -1)
    columns.reals(coded.CONSTANT, [-inf, nan, 5e-324, 1 / 3, 1.7976931348623157e308, 0.1 + 0.2], 0)
    columns.reals(coded.CONSTANT, [7e300, 7e22, 7e22, 7e22, 7e22, 7e22], 22)
    columns.reals(coded.DELTA2, [0.5, 1.0, 1.5, 2.0, 2.5, 3.0], -1, step=5)
    columns.reals(coded.CONSTANT, [nan] * 6, 0)
    columns.choose_reals(False)
    columns.tell(coded.ZERO)                                                       # 10
    columns.varying(coded.DELTA, [5, 4, 3, 2, 1, 0])
    columns.choose_reals(True)
    columns.reals(coded.UNLIKE, [0.5, 0.6, 0.7, 0.8, 0.9, 1.0], -1)                # 12
    add_coded(batch, 0, 0, columns)
    return batch


def states_batch():
    """States and booleans with names, values that have none, and a double of the dictionary."""
    batch = pb.Batch(stream=STREAM, sequence=15, boot=BOOT, base_uptime_ms=0,
                     boot_unix_ms=1767225600000, catalog=dictionary_hash(STATE_METRICS))
    batch.metrics.extend(STATE_METRICS)
    add_axis(batch, [1000 * i for i in range(5)])
    columns = coded.Columns(5)
    columns.varying(coded.DELTA, [0, 2, 1, 3, -1])
    columns.varying(coded.DELTA, [1, 1, 0, 2, 1])
    columns.choose_reals(True)
    columns.reals(coded.DELTA, [0.5, 0.25, 0.125, 0.1, 0.5], -3)
    add_coded(batch, 0, 0, columns)
    return batch


def samples():
    record = pb.Samples(stream=STREAM, sequence=9)
    one = record.samples.add(device="golden", metric="system.memory.usage", unit="By", value=0.0,
                             time=1767225605000, boot=BOOT, uptime_ms=5000)
    one.attributes.add(key="system.memory.state", value="used")
    record.samples.add(device="golden", metric="hw.temperature", unit="Cel", value=-273.15,
                       boot=BOOT, uptime_ms=7000)
    record.samples.add(device="golden", metric="odd \"name\"\n", unit="1", value=1e300)
    record.samples.add(device="golden", metric="x", value=0.1 + 0.2, time=0)
    record.losses.add(first=2, last=8, reason=pb.LOSS_REASON_DAMAGED)
    record.anchors.add(boot=BOOT, uptime_ms=6000, unix_ms=1767225606000)
    return record


def odd_samples():
    record = pb.Samples(stream=STREAM, sequence=16)
    for value in (float("nan"), float("inf"), float("-inf"), -0.0, 5e-324):
        record.samples.add(metric="flow", unit="1", value=value, time=0)
    record.samples.add(metric="door", unit="1", value=2, time=0, state="open \"wide\"")
    return record


def catalog():
    made = pb.Catalog(stream=STREAM, hash=dictionary_hash(HOST_METRICS))
    made.metrics.extend(HOST_METRICS)
    return made


def about():
    made = pb.About(device="golden", fleet="examples", board="linux", firmware="0.1.0",
                    stream=STREAM, boot=BOOT, catalog=dictionary_hash(HOST_METRICS),
                    encoding="columns", volatile_stream=False)
    made.profile.add(name="window", value=32)
    made.profile.add(name="anchors", value=0)
    return made


def begun_about():
    """A device whose first 500 records are gone."""
    made = about()
    made.oldest_sequence = 501
    return made


def stored():
    return pb.Stored(stream=STREAM, sequence=0)


def config():
    made = pb.Config(version=7)
    made.settings.add(key="interval", value=10000)
    made.settings.add(key="interval", name="cpu", value=0)
    made.settings.add(key="log.policy", value=1)
    made.settings.add(key="low", name="hw.temperature{hw.id=\"die\"}", value=-125, exponent=-1)
    made.settings.add(key="dead_band", name="system.*", value=5, exponent=3)
    made.settings.add(key="high", name="*")
    made.settings.add(key="of.tomorrow", value=1)
    return made


def report():
    made = pb.ConfigReport(version=7, running=7, state=pb.CONFIG_STATE_KEPT, size_max=2048,
                           volatile_config=False, refusal=pb.CONFIG_REFUSAL_OLD, refused=6)
    verdicts = (pb.VERDICT_APPLIED, pb.VERDICT_NO_MATCH, pb.VERDICT_OUT_OF_RANGE,
                pb.VERDICT_APPLIED, pb.VERDICT_WITHHELD, pb.VERDICT_MALFORMED, pb.VERDICT_UNKNOWN)
    for setting, verdict in zip(config().settings, verdicts):
        outcome = made.outcomes.add(key=setting.key, name=setting.name, verdict=verdict)
        if setting.HasField("value"):
            outcome.value = setting.value
        if setting.HasField("exponent"):
            outcome.exponent = setting.exponent
        if verdict == pb.VERDICT_OUT_OF_RANGE:
            outcome.low, outcome.high = 0, 1
    return made


def rolled_back():
    return pb.ConfigReport(version=8, state=pb.CONFIG_STATE_ROLLED_BACK, volatile_config=True)


def delimited(messages):
    """Each preceded by its length as a varint."""
    out = bytearray()
    for message in messages:
        data = message if isinstance(message, bytes) else message.SerializeToString()
        size = len(data)
        while size > 0x7F:
            out.append(size & 0x7F | 0x80)
            size >>= 7
        out.append(size)
        out += data
    return bytes(out)


GOLDEN = {
    "host.batch.bin": lambda: host_batch().SerializeToString(),
    "undated.batch.bin": lambda: undated_batch().SerializeToString(),
    "ledger.batch.bin": lambda: ledger_batch().SerializeToString(),
    "anchored.batch.bin": lambda: anchored_batch().SerializeToString(),
    "growing.batch.delimited": lambda: delimited(growing_stream()),
    "coded.batch.bin": lambda: coded_batch().SerializeToString(),
    "jitter.batch.bin": lambda: jitter_batch().SerializeToString(),
    "sparse.batch.bin": lambda: sparse_batch().SerializeToString(),
    "reals.batch.bin": lambda: reals_batch().SerializeToString(),
    "states.batch.bin": lambda: states_batch().SerializeToString(),
    "odd.samples.bin": lambda: odd_samples().SerializeToString(deterministic=True),
    "rows.samples.bin": lambda: samples().SerializeToString(deterministic=True),
    "host.catalog.bin": lambda: catalog().SerializeToString(),
    "host.about.bin": lambda: about().SerializeToString(),
    "begun.about.bin": lambda: begun_about().SerializeToString(),
    "host.config.bin": lambda: config().SerializeToString(),
    "host.reported.bin": lambda: report().SerializeToString(),
    "rolled.reported.bin": lambda: rolled_back().SerializeToString(),
    "host.stored.bin": lambda: stored().SerializeToString(),
}


# Random records

def random_name(rng):
    alphabet = "abcdefghijklmnopqrstuvwxyz._ ,=\\\"é漢\n"
    return "".join(rng.choice(alphabet) for _ in range(rng.randint(1, 20)))


def random_metrics(rng, first, count):
    return [metric(first + i, random_name(rng), rng.choice(["By", "1", "Cel", "", "{packet}"]),
                   rng.choice([None, 0, -4, 3, rng.randint(-18, 18)]), rng.randint(0, 5),
                   [random_name(rng) for _ in range(rng.choice([0, 0, 2, 5]))],
                   **{f"k{j}": random_name(rng) for j in range(rng.choice([0, 0, 1, 3]))})
            for i in range(count)]


def random_values(rng, count):
    shape = rng.randrange(5)
    if shape == 0:
        return [rng.randint(-10, 10)] * count
    if shape == 1:
        start = rng.randint(-1000, 1000)
        return [start + i * rng.randint(0, 3) for i in range(count)]
    if shape == 2:
        return [rng.choice([-(1 << 63), (1 << 63) - 1, 0, -1, 1]) for _ in range(count)]
    width = rng.choice([8, 16, 40, 63])
    return [rng.randint(-(1 << width), (1 << width) - 1) for _ in range(count)]


def random_step(rng, values):
    """Values that a step divides, and the step."""
    step = rng.choice([1, 1, 2, 4096, 1000, 7, (1 << 32) - 1])
    shift = rng.choice([0, 0, rng.randrange(step)])
    values = [value % (1 << 20) * step + shift for value in values] if step > 1 else values
    return values, step


def random_reals(rng, columns):
    """A column of doubles under an exponent that suits most, some, or none of them."""
    exponent, rows = rng.choice([0, -1, -2, -6, 3, rng.randint(-22, 22)]), columns.rows
    values = [rng.randint(-1000, 1000) * 10 ** exponent if exponent >= 0 else
              rng.randint(-1000, 1000) / 10 ** -exponent for _ in range(rows)]
    for i in range(rows):
        if rng.random() < rng.choice([0, 0, 0.1]):
            values[i] = rng.choice([rng.random(), -0.0, float("nan"), float("inf"), 5e-324, 1e300])
    values = [float(value) for value in values]
    if rng.random() < 0.1:
        values = [rng.random() for _ in range(rows)]
    integers = [coded.exact(value, exponent) for value in values]
    if columns.like and None not in integers and rng.random() < 0.5:
        columns.reals(rng.choice([coded.LIKE, coded.UNLIKE]), values, exponent)
    elif len(set(integers) - {None}) < 2:
        columns.reals(coded.CONSTANT, values, exponent)
    else:
        columns.reals(rng.choice([coded.DELTA, coded.DELTA2, coded.LEVEL]), values, exponent)


def random_coded(rng, rows):
    """Columns of every coding and of every set of rows, as they come."""
    columns, sets, steps = coded.Columns(rows), [rows], rng.randint(1, 6)
    for _ in range(steps):
        choice = rng.randrange(14)
        if choice == 0:
            columns.tell(coded.ZERO, rng.randint(1, 3))
        elif choice == 1:
            columns.tell(coded.SKIP, rng.randint(1, 20))
        elif choice == 2 and not columns.real:
            columns.constant(rng.choice([0, -1, 1, -(1 << 63), rng.getrandbits(40)]))
        elif choice == 3:
            present = [rng.random() < 0.4 for _ in range(rows)]
            present[rng.randrange(rows)] = True
            columns.choose_rows(present)
            sets.append(sum(present))
        elif choice == 4:
            index = rng.randrange(len(sets))
            columns.recall_rows(index, sets[index])
        elif choice == 5:
            columns.choose_reals(not columns.real)
        elif columns.real:
            random_reals(rng, columns)
        else:
            coding = rng.choice([coded.DELTA, coded.DELTA2, coded.LEVEL] if not columns.like else
                                [coded.LIKE, coded.UNLIKE, coded.DELTA])
            values, step = random_values(rng, columns.rows), 1
            if coding in (coded.DELTA, coded.DELTA2, coded.LEVEL):
                values, step = random_step(rng, values)
            columns.varying(coding, values, step)
    return columns


def random_uptimes(rng, base):
    at = base + rng.choice([0, 0, rng.randint(0, 100000)])
    uptimes, interval = [at], rng.choice([0, 1, 1000, 5000])
    for _ in range(rng.choice([0, 1, 7, rng.randint(0, 200)])):
        at += max(0, interval + rng.choice([0, 0, 0, rng.randint(-50, 50)]))
        uptimes.append(at)
    return uptimes


class RandomStream:
    """Records of one stream whose catalog grows as it goes."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.stream = self.rng.getrandbits(64)
        self.boot = self.first_boot = self.rng.getrandbits(32)
        self.sequence, self.catalog, self.count = 0, 0, 0

    def announce(self, batch):
        fresh = random_metrics(self.rng, self.count, self.rng.randint(1, 6))
        if self.catalog or self.rng.random() < 0.5:
            batch.catalog_base = self.catalog
        self.catalog = dictionary_hash(fresh, self.catalog)
        self.count += len(fresh)
        batch.metrics.extend(fresh)

    def notes(self, batch):
        rng = self.rng
        for _ in range(rng.choice([0, 0, 0, 2])):
            first = rng.randint(1, 1000)
            loss = batch.losses.add(first=first, last=first + rng.randint(0, 50),
                                    reason=rng.randint(0, 7))
            if rng.random() < 0.5:
                loss.boot = rng.choice([self.boot, self.boot, self.first_boot, 1])
                loss.uptime_ms = rng.randint(0, 1 << 40)
        if rng.random() < 0.1:
            batch.losses.add(points=rng.randint(0, 99), reason=rng.randint(0, 7))
        if rng.random() < 0.2:
            batch.anchors.add(boot=self.boot, uptime_ms=rng.randint(0, 1 << 40),
                              unix_ms=rng.randint(-(1 << 40), 1 << 41), cause=rng.randint(0, 4))

    def batch(self):
        rng = self.rng
        self.sequence += rng.choice([1, 1, 1, 3])
        if rng.random() < 0.1:
            self.boot = rng.getrandbits(32)
        batch = pb.Batch(stream=self.stream, sequence=self.sequence, boot=self.boot,
                         base_uptime_ms=rng.choice([0, rng.randint(0, 1 << 45)]))
        if rng.random() < 0.3:
            batch.boot_unix_ms = rng.randint(-(1 << 40), 1 << 41)
        if self.count == 0 or rng.random() < 0.2:
            self.announce(batch)
        batch.catalog = self.catalog
        self.notes(batch)
        axes = [random_uptimes(rng, batch.base_uptime_ms) for _ in range(rng.randint(1, 4))]
        for uptimes in axes:
            if rng.random() < 0.4:
                add_coded_axis(batch, uptimes, rng.choice([coded.DELTA, coded.LEVEL]))
            else:
                add_axis(batch, uptimes, jitter=rng.choice([None, None, True])
                         if len(uptimes) > 1 else None)
        for _ in range(rng.randint(0, 8)):
            axis = rng.randrange(len(axes))
            if rng.random() < 0.3:
                add_coded(batch, rng.randint(0, self.count), axis,
                          random_coded(rng, len(axes[axis])))
            else:
                add_column(batch, rng.randint(0, self.count), axis,
                           random_values(rng, len(axes[axis])))
        return batch


# Hostile records: a complaint, and the bytes it is about

def garbage(rng):
    """A batch whose axis, codings and bits are drawn at random; few of them make sense."""
    batch, rows = header(), rng.choice([1, 2, 3, 8, 40])
    noise = bytes(rng.randrange(1, 256) for _ in range(rng.randrange(36)))
    if rng.random() < 0.5:
        batch.axes.add(count=rows, interval_ms=1000)
    else:
        batch.axes.add(rows=rows, interval_ms=1000, first_ms=rng.choice([0, 10**6]),
                       coding=rng.choice([0, coded.DELTA, coded.LEVEL]), bits=noise[30:])
    batch.columns.add(bits=noise[:30], codings=[
        rng.randint(coded.ZERO, coded.REAL) + 16 * rng.choice([0, 0, 0, 1, 2])
        for _ in range(rng.randint(1, 6))])
    return batch


def header(**fields):
    return pb.Batch(stream=1, sequence=1, boot=1, catalog=1, base_uptime_ms=0, **fields)


def with_axis(count, deltas=(), **fields):
    batch = header()
    batch.axes.add(count=count, **fields)
    batch.columns.add(metric=0, first=1).deltas.extend(deltas)
    return batch


def with_codings(codings, bits=b"", rows=8, **fields):
    batch = header()
    batch.axes.add(count=rows)
    batch.columns.add(metric=0, codings=codings, bits=bits, **fields)
    return batch


def with_coded_axis(rows, coding, bits=b"", **fields):
    batch = header()
    batch.axes.add(rows=rows, coding=coding, bits=bits, **fields)
    batch.columns.add(metric=0, first=0)
    return batch


def bits_of(*symbols):
    """Bits of these calls of a Writer: (name, arguments ...)."""
    writer = coded.Writer()
    for name, *arguments in symbols:
        getattr(writer, name)(*arguments)
    return writer.end()


REALS = coded.REAL + 16
A_COLUMN = [("bit", ("flag", 0), 0), ("number", 1), ("restart",), *[("value", 1)] * 7]
EVERY_OTHER = [("bit", ("row", i % 2), i % 2) for i in range(8)]
FAR = bits_of(("value", 1 << 53))


def many_columns(count):
    batch = with_axis(1000)
    for _ in range(count):
        batch.columns.add(metric=0, first=1)
    return batch


def bad_metric(**changes):
    batch = header()
    one = metric(changes.pop("id", 0), changes.pop("name", "a"), "1")
    for key, value in changes.items():
        setattr(one, key, value)
    batch.metrics.append(one)
    batch.catalog = dictionary_hash([one])
    return batch


def bad_text():
    """A name that is not UTF-8, under a hash that is right."""
    one = bytes([0x08, 0, 0x12, 3, 0x61, 0xFF, 0x62])
    batch = header()
    batch.catalog = crc32c(0, one)
    return batch.SerializeToString() + bytes([0x62, len(one)]) + one


def note(field, **fields):
    batch = header()
    getattr(batch, field).add(**fields)
    return batch


def bad_hash():
    batch = host_batch()
    batch.catalog ^= 1
    return batch


HOSTILE = {
    "nothing": b"",
    "text": b"GET / HTTP/1.1\r\n\r\n",
    "no stream": pb.Batch(sequence=1, boot=1).SerializeToString(),
    "sequence 0": pb.Batch(stream=1, sequence=0, boot=1).SerializeToString(),
    "no boot": pb.Batch(stream=1, sequence=1).SerializeToString(),
    "4 billion rows": with_axis(0xFFFFFFFF).SerializeToString(),
    "too many rows": with_axis(65537).SerializeToString(),
    "too many points": many_columns(65).SerializeToString(),
    "no rows": with_axis(0).SerializeToString(),
    "count absent": (lambda b: (b.axes[0].ClearField("count"), b)[1])(with_axis(1))
    .SerializeToString(),
    "too few deltas": with_axis(3, [1]).SerializeToString(),
    "too many deltas": with_axis(3, [1, 2, 3]).SerializeToString(),
    "deltas for one row": with_axis(1, [1]).SerializeToString(),
    "too few jitters": with_axis(3, jitter_ms=[1]).SerializeToString(),
    "time before boot": with_axis(3, jitter_ms=[0, -1]).SerializeToString(),
    "time too late": with_axis(2, interval_ms=1).SerializeToString()
    + pb.Batch(base_uptime_ms=(1 << 53) - 1).SerializeToString(),
    "base too late": pb.Batch(stream=1, sequence=1, boot=1,
                              base_uptime_ms=1 << 63).SerializeToString(),
    "clock out of range": header(boot_unix_ms=-(1 << 53)).SerializeToString(),
    "no such axis": (lambda b: (b.columns.add(metric=0, first=0, axis=1), b)[1])(with_axis(1))
    .SerializeToString(),
    "column without first": note("columns", metric=0).SerializeToString(),
    "column without axes": note("columns", metric=0, first=0).SerializeToString(),
    "codings alone": with_codings([]).SerializeToString(),
    "two forms": with_codings([1], first=0).SerializeToString(),
    "codings with deltas": with_codings([1], deltas=[1]).SerializeToString(),
    "coding 0": with_codings([0]).SerializeToString(),
    "coding 12": with_codings([12]).SerializeToString(),
    "neither integers nor doubles": with_codings([coded.REAL + 32]).SerializeToString(),
    "doubles like nothing": with_codings([REALS, coded.LIKE]).SerializeToString(),
    "exceptions in no row": with_codings([REALS, coded.DELTA], bits_of(
        ("bit", ("flag", 4), 1), *[("bit", ("row", i), 0) for i in range(8)])).SerializeToString(),
    "exceptions and like": with_codings([coded.DELTA, REALS, coded.LIKE], bits_of(
        *A_COLUMN, ("bit", ("flag", 4), 1), *EVERY_OTHER)).SerializeToString(),
    "like one with exceptions": with_codings([REALS, coded.DELTA, coded.LIKE], bits_of(
        ("bit", ("flag", 4), 1), *EVERY_OTHER, *A_COLUMN[:6], ("direct", 32, 6), *A_COLUMN[:6],
        ("bit", ("flag", 4), 0), ("direct", 32, 6), *A_COLUMN)).SerializeToString(),
    "exponent 23": with_codings([REALS, coded.CONSTANT], bits_of(
        ("bit", ("flag", 4), 0), ("direct", 55, 6), ("number", 1))).SerializeToString(),
    "exponent -23": with_codings([REALS, coded.CONSTANT], bits_of(
        ("bit", ("flag", 4), 0), ("direct", 9, 6), ("number", 1))).SerializeToString(),
    "an integer above 2^53": with_codings([REALS, coded.CONSTANT], bits_of(
        ("bit", ("flag", 4), 0), ("direct", 32, 6), ("number", (1 << 53) + 1))
    ).SerializeToString(),
    "one row above 2^53": with_codings([REALS, coded.DELTA], bits_of(
        ("bit", ("flag", 4), 0), ("direct", 32, 6), ("bit", ("flag", 0), 0), ("number", 0),
        ("value", -(1 << 53)), ("value", -1), *[("value", 1)] * 5)).SerializeToString(),
    "coding 15": with_codings([31]).SerializeToString(),
    "like nothing": with_codings([coded.LIKE]).SerializeToString(),
    "unlike nothing": with_codings([coded.UNLIKE]).SerializeToString(),
    "like a column of other rows": with_codings(
        [coded.DELTA, coded.SAME_ROWS, coded.LIKE]).SerializeToString(),
    "rows told twice": with_codings([coded.ROWS + 16]).SerializeToString(),
    "a set of no rows": with_codings(
        [coded.ROWS, coded.ZERO], bits_of(*[("bit", ("row", i), 0) for i in range(8)])
    ).SerializeToString(),
    "no such set": with_codings([coded.SAME_ROWS + 16, coded.ZERO]).SerializeToString(),
    "zeros for ever": with_codings([0xFFFFFFF1]).SerializeToString(),
    "constants for ever": with_codings([0xFFFFFFF2]).SerializeToString(),
    "deltas for ever": with_codings([0xFFFFFFF3]).SerializeToString(),
    "too many sets": with_codings([coded.ROWS] * 65, b"\xff" * 9, 1000).SerializeToString(),
    "sets of a long axis": with_codings([coded.ROWS], b"\xff", 40000).SerializeToString(),
    "metric id too large": with_codings([coded.SKIP + 0xFFFFFFF0] * 17 + [coded.ZERO])
    .SerializeToString(),
    "bits left over": with_codings([coded.ZERO], b"\1\2\3\4\5").SerializeToString(),
    "bits that end with 0": with_codings([coded.CONSTANT], b"\1\0").SerializeToString(),
    "bits beyond the range": with_codings([coded.CONSTANT], b"\xff" * 4).SerializeToString(),
    "a step of 2^32": with_codings(
        [coded.DELTA], bits_of(("bit", ("flag", 0), 1), ("bit", ("flag", 1), 0),
                               ("direct", 32, 6), ("direct", 1, 8))).SerializeToString(),
    "a residual of 65 bits": with_codings([coded.DELTA], bits_of(
        ("bit", ("flag", 0), 0), ("number", 1), ("bit", ("zero", 0, 0), 1),
        ("bit", ("sign", 0), 0), *[("bit", ("length", i), 1) for i in range(1, 7)],
        ("tree", ("longer",), 58, 6), ("direct", 1, 8))).SerializeToString(),
    "codings as texts": header().SerializeToString() + bytes([0x42, 6, 0x08, 0, 0x2A, 2, 0x80,
                                                              0x80]),
    "bits as a number": header().SerializeToString() + bytes([0x42, 6, 0x08, 0, 0x28, 1, 0x30, 1]),
    "rows and count": with_coded_axis(3, coded.DELTA, count=3).SerializeToString(),
    "rows and jitter": with_coded_axis(3, coded.DELTA, jitter_ms=[1, 1]).SerializeToString(),
    "rows as DELTA2": with_coded_axis(3, coded.DELTA2).SerializeToString(),
    "coded rows, none": with_coded_axis(0, coded.DELTA).SerializeToString(),
    "coded rows, 4 billion": with_coded_axis(0xFFFFFFFF, coded.DELTA).SerializeToString(),
    "coded rows before boot": with_coded_axis(3, coded.DELTA, bits_of(("value", -1)))
    .SerializeToString(),
    "coded rows too late": with_coded_axis(2, coded.DELTA, FAR).SerializeToString(),
    "coded rows far off": with_coded_axis(2, coded.LEVEL, bits_of(("value", (1 << 64) - 1)))
    .SerializeToString(),
    "axis bits left over": with_coded_axis(1, coded.DELTA, b"\1\2\3\4\5").SerializeToString(),
    "loss of nothing": note("losses", boot=1).SerializeToString(),
    "loss without end": note("losses", first=4).SerializeToString(),
    "loss backwards": note("losses", first=4, last=3).SerializeToString(),
    "loss from 0": note("losses", first=0, last=3).SerializeToString(),
    "anchor without time": note("anchors", boot=1, uptime_ms=1).SerializeToString(),
    "anchor too late": note("anchors", boot=1, uptime_ms=1 << 60, unix_ms=0).SerializeToString(),
    "wrong hash": bad_hash().SerializeToString(),
    "first id not 0": bad_metric(id=1).SerializeToString(),
    "metric without name": bad_metric(name="").SerializeToString(),
    "exponent": bad_metric(exponent=19).SerializeToString(),
    "huge metric": bad_metric(name="x" * 2000).SerializeToString(),
    "invalid UTF-8": bad_text(),
    "column longer than the record": header().SerializeToString() + bytes([0x42, 0x7F, 0x08]),
    "length of 4 GiB": header().SerializeToString() + bytes([0x42, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F]),
    "endless varint": header().SerializeToString() + bytes([0x10] + [0x80] * 30),
    "delta cut off": header().SerializeToString()
    + bytes([0x3A, 2, 0x08, 2, 0x42, 7, 0x08, 0, 0x18, 0, 0x22, 1, 0x80]),
}
