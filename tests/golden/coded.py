"""The writing half of SPEC.md's Coded columns, for tests: any sequence of symbols, good or bad.

It shares nothing with the device's encoder: the interval's lower end is one Python integer.
"""
import struct

ZERO, CONSTANT, DELTA, DELTA2, LEVEL, LIKE, UNLIKE, SKIP, ROWS, SAME_ROWS, REAL = range(1, 12)


def signed(value):
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


def bits_of(value):
    return struct.unpack("<q", struct.pack("<d", value))[0]


def exact(value, exponent):
    """The integer that is `value` times 10^-exponent, None if there is none."""
    if value != value or value in (float("inf"), float("-inf")):
        return None
    ratio = [n * 10 ** max(sign * exponent, 0) for n, sign in zip(value.as_integer_ratio(),
                                                                  (-1, 1))]
    whole = (2 * ratio[0] + ratio[1]) // (2 * ratio[1])
    made = float(whole * 10 ** exponent) if exponent >= 0 else whole / 10 ** -exponent
    return whole if abs(whole) <= 1 << 53 and bits_of(made) == bits_of(value) else None


class Writer:
    RATES = (1, 2, 2, 3, 3, 3, 3, 4)

    def __init__(self):
        self.low, self.range, self.shifts = 0, (1 << 32) - 1, 0
        self.models = {}
        self.restart()

    def restart(self):
        self.context = (0, 0, 0)

    def refill(self):
        while self.range < 1 << 24:
            self.low, self.range, self.shifts = self.low << 8, self.range << 8, self.shifts + 1

    def bit(self, context, bit):
        model = self.models.setdefault(context, [2048, 0])
        bound = (self.range >> 12) * model[0]
        rate = self.RATES[model[1]]
        if bit:
            self.low, self.range = self.low + bound, self.range - bound
            model[0] -= model[0] >> rate
        else:
            self.range = bound
            model[0] += (4096 - model[0]) >> rate
        model[1] = min(model[1] + 1, 7)
        self.refill()

    def direct(self, value, count):
        while count > 0:
            piece = min(count, 16)
            count -= piece
            self.range >>= piece
            self.low += (value >> count & (1 << piece) - 1) * self.range
            self.refill()

    def tree(self, context, value, depth):
        node = 1
        for i in reversed(range(depth)):
            bit = value >> i & 1
            self.bit((*context, node), bit)
            node = node << 1 | bit

    def number(self, value):
        size = abs(value)
        below = max(size.bit_length() - 1, 0)
        self.direct(below, 6)
        self.direct(size, below or 1)
        if size:
            self.bit(("flag", 3), value < 0)

    def value(self, value):
        before, before_that, sign = self.context
        size = abs(value)
        length = size.bit_length()
        self.bit(("zero", before, before_that), size != 0)
        self.context = (0 if size == 0 else 1 if size < 4 else 2, int(before != 0),
                        0 if value == 0 else 1 if value > 0 else 2)
        if size == 0:
            return
        self.bit(("sign", sign), value < 0)
        for i in range(1, min(length, 6)):
            self.bit(("length", i), 1)
        if length <= 6:
            self.bit(("length", length), 0)
        else:
            self.bit(("length", 6), 1)
            self.tree(("longer",), length - 7, 6)
        below = length - 1
        if 2 <= length <= 9:
            learnt = min(below, 2)
            self.tree(("top", length), size >> below - learnt & (1 << learnt) - 1, learnt)
            below -= learnt
        self.direct(size, below)

    def end(self):
        """The shortest bytes in [low, low + range)."""
        size = 4 + self.shifts
        for kept in range(size + 1):
            unit = 1 << 8 * (size - kept)
            value = -(-self.low // unit) * unit
            if value < self.low + self.range:
                return value.to_bytes(size, "big")[:kept].rstrip(b"\0")
        raise AssertionError


class Columns:
    """Builds `codings` and `bits` of one Column message."""

    def __init__(self, rows):
        self.writer, self.codings, self.rows = Writer(), [], rows
        self.like, self.real = None, False

    def tell(self, coding, count=1):
        """A run goes on where the coding allows it."""
        last = self.codings[-1] if self.codings else 0
        if coding == last % 16 and coding not in (ROWS, SAME_ROWS, REAL):
            self.codings[-1] += 16 * count
        else:
            self.codings.append(coding + 16 * (count - 1))

    def choose_rows(self, present):
        """`present`: one bool a row of the axis."""
        self.tell(ROWS)
        self.flags(present)
        self.rows, self.like = sum(present), None

    def flags(self, present):
        gap = 0
        for row in present:
            self.writer.bit(("row", min(gap, 15)), row)
            gap = 0 if row else gap + 1

    def recall_rows(self, index, rows):
        self.tell(SAME_ROWS, index + 1)
        self.rows, self.like = rows, None

    def constant(self, value):
        self.tell(CONSTANT)
        self.writer.number(value)

    def choose_reals(self, real):
        """From here on columns of doubles, or of integers."""
        self.tell(REAL, 1 + real)
        self.real = real

    def reals(self, coding, values, exponent, step=1):
        """Doubles; those that `exponent` does not tell are exceptions."""
        self.tell(coding)
        integers = [exact(value, exponent) for value in values]
        odd = [integer is None for integer in integers]
        self.writer.bit(("flag", 4), any(odd))
        if any(odd):
            self.flags(odd)
            self.integers(DELTA, [bits_of(v) for v, out in zip(values, odd) if out], 1)
        integers = [integer for integer in integers if integer is not None]
        if not integers:
            return
        self.writer.direct(exponent + 32, 6)
        if coding == CONSTANT:
            self.writer.number(integers[0])
            return
        self.integers(coding, integers, step)
        if not any(odd):
            self.like = integers

    def varying(self, coding, values, step=1):
        """Whatever `step` does not divide is not written as it is: the caller sees to it."""
        self.tell(coding)
        self.integers(coding, values, step)
        self.like = values

    def integers(self, coding, values, step):
        self.step(step)
        base = values[0] - (self.like[0] if coding == LIKE else 0)
        base = signed(base)
        if step > 1:
            self.writer.bit(("flag", 2), base % step == 0)
        self.writer.number(base // step if base % step == 0 else base)
        self.writer.restart()
        for residual in self.residuals(coding, values):
            self.writer.value(residual // step)

    def step(self, step):
        self.writer.bit(("flag", 0), step > 1)
        if step > 1:
            below = step.bit_length() - 1
            odd = step & (step - 1) != 0
            self.writer.bit(("flag", 1), odd)
            self.writer.direct(below, 6)
            if odd:
                self.writer.direct(step, below)

    def residuals(self, coding, values):
        before = 0
        for i in range(1, len(values)):
            delta = values[i] - values[i - 1]
            other = self.like[i] - self.like[i - 1] if coding in (LIKE, UNLIKE) else 0
            yield signed({DELTA2: delta - before, LEVEL: values[i] - values[0],
                          LIKE: delta - other, UNLIKE: delta + other}.get(coding, delta))
            before = delta
