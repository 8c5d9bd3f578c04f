#!/usr/bin/python3
"""Lists what a log image holds, as JSON lines: written from src/LOG_FORMAT.md alone.

    tools/log_reader.py IMAGE --block-size N --prog-size N

One object a line: {"log": ...} first, then {"loss": ...} for each ledger entry, then
{"record": ...} for each open record, oldest first. It shares no code with the C log, so that the
two can be held against each other; it never writes. Exit code 0, or 1 for an image that holds no
log or a newer one.
"""
import argparse
import json
import struct
import sys

OPENING = {1: 44, 2: 52}  # bytes, by version
SKIP_MAX = 3
SEQUENCE_MAX = 1 << 62


def _crc_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


TABLE = _crc_table()


def crc32c(data, crc=0):
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def unfeed(state, count):
    """What a CRC register held before `count` zero bytes were fed to it."""
    for _ in range(8 * count):
        state = ((state ^ 0x82F63B78) << 1 | 1 if state >> 31 else state << 1) & 0xFFFFFFFF
    return state


class Opening:
    """A block's first bytes, judged. kind: ours, newer, lost, blank, garbage."""

    def __init__(self, block):
        head = block[:OPENING[2]]
        self.kind = "garbage"
        if head == b"\xff" * OPENING[2]:
            self.kind = "blank"
        elif head[:4] == b"LOST":
            self.kind = "lost"
        else:
            self._judge(block)

    def _judge(self, block):
        version, size = struct.unpack_from("<HH", block, 4)
        if block[:4] == b"DLOG" and version > 2 and 12 <= size <= min(256, len(block)):
            if crc32c(block[:size - 4]) == struct.unpack_from("<I", block, size - 4)[0]:
                self.kind = "newer"
                return
        for version in 2, 1:
            head = self._mended(block[:OPENING[version]], version)
            if head:
                self._take(head, version)
                return

    @staticmethod
    def _is(head, version):
        return (head[:8] == b"DLOG" + struct.pack("<HH", version, len(head)) and
                crc32c(head[:-4]) == struct.unpack("<I", head[-4:])[0])

    def _mended(self, head, version):
        """The opening as it was before one bit of it flipped, or None."""
        if self._is(head, version):
            return head
        for bit in range(8 * len(head)):
            other = bytearray(head)
            other[bit // 8] ^= 1 << bit % 8
            if other[:4] == b"DLOG" and self._is(bytes(other), version):
                return bytes(other)
        return None

    def _take(self, head, version):
        (self.stream, self.first, self.serial, self.block_size, self.block_count,
         self.prog_size) = struct.unpack_from("<QQIIIH", head, 8)
        self.size = len(head)
        self.lost = False
        before, back = struct.unpack_from("<II", head, 40) if version > 1 else (0, 0)
        self.before_serial = before
        self.before_first = self.first - back
        if 1 <= self.first <= SEQUENCE_MAX:
            self.kind = "ours"

    @staticmethod
    def guess(block, newest):
        """What the opening of a garbage block was, by the state record behind it, or None."""
        start = OPENING[2]
        length, low = struct.unpack_from("<HH", block, start)
        size = length & 0x3FFF
        end = start + 8 + size
        if not length & 0x8000 or size < 10 or end > len(block):
            return None
        payload = block[start + 4:end - 4]
        if size != 10 + 8 * payload[8] + 37 * payload[9]:
            return None
        found = Opening(b"\0" * OPENING[2])
        found.first = newest.first + (low - newest.first) % 65536
        crc = crc32c(payload, crc32c(struct.pack("<HQ", length, found.first)))
        seed = unfeed(crc ^ struct.unpack_from("<I", block, end - 4)[0], 10 + size)
        found.serial = unfeed(~seed & 0xFFFFFFFF, 4) ^ (
            ~crc32c(struct.pack("<Q", newest.stream)) & 0xFFFFFFFF)
        if (not 1 <= (found.serial - newest.serial) % 2 ** 32 <= 2 ** 20 or
                found.first - newest.first > len(block) // 8):
            return None
        found.lost = True
        found.kind, found.stream, found.size = "ours", newest.stream, OPENING[2]
        found.block_size, found.block_count = newest.block_size, newest.block_count
        found.prog_size = newest.prog_size
        found.before_serial, found.before_first = newest.serial, newest.first
        return found


class Records:
    """The records of one block: [(is_state, sequence, payload)], and where the last one ends."""

    def __init__(self, block, prog_size, opening):
        self.found = []
        self.next = opening.first
        self.spoilt = 0
        seed = crc32c(struct.pack("<QI", opening.stream, opening.serial))
        offset = hole = opening.size
        self.tried = 0
        while offset + 8 <= len(block):
            record = self._at(block, offset, hole, seed)
            if record:
                self.found.append(record)
                is_state, sequence, payload = record
                self.next = sequence + (0 if is_state else 1)
                offset = hole = offset + 8 + len(payload)
                continue
            boundary = offset // prog_size * prog_size + prog_size
            blank = all(byte == 0xFF for byte in block[offset:boundary])
            offset = boundary if blank else offset + 1
        self._count_spoilt(block, prog_size, hole)

    def _count_spoilt(self, block, prog_size, good):
        used = max(good, len(block.rstrip(b"\xff")))
        end = -(-used // prog_size) * prog_size
        offset = good
        while offset < end and block[offset] == 0xFF:
            offset += 1
        while offset + 8 <= end:
            length, low = struct.unpack_from("<HH", block, offset)
            if low != (self.next + self.spoilt) & 0xFFFF:
                self.spoilt += 1
                break
            self.spoilt += not self._looks_like_state(block, offset, length)
            if length == 0xFFFF:
                break
            offset += 8 + (length & 0x3FFF)
            boundary = -(-offset // prog_size) * prog_size
            if all(byte == 0xFF for byte in block[offset:boundary]):
                offset = boundary
        for offset in range(good, end - 7):
            length, low = struct.unpack_from("<HH", block, offset)
            ahead = (low - self.next) & 0xFFFF
            count = ahead + (0 if length & 0x8000 else 1)
            if (ahead <= min(6, (offset - good) // 8) and count > self.spoilt and
                    self._is_linked(block, prog_size, used, offset, self.next + count)):
                self.spoilt = count
        self.spoilt = min(self.spoilt, (end - good) // 8)

    @staticmethod
    def _is_linked(block, prog_size, used, offset, due):
        length, = struct.unpack_from("<H", block, offset)
        behind = offset + 8 + (length & 0x3FFF)
        if length == 0xFFFF or behind > len(block):
            return False
        if behind >= used:
            return behind <= used + 4
        boundary = -(-behind // prog_size) * prog_size
        if all(byte == 0xFF for byte in block[behind:boundary]):
            behind = boundary
        return (behind + 8 <= len(block) and
                struct.unpack_from("<H", block, behind + 2)[0] == due & 0xFFFF)

    @staticmethod
    def _looks_like_state(block, offset, length):
        if not length & 0x8000:
            return False
        if length & 0x3FFF == 2:
            return True
        if offset + 14 > len(block):
            return False
        return length & 0x3FFF == 10 + 8 * block[offset + 12] + 37 * block[offset + 13]

    def _at(self, block, offset, hole, seed):
        length, low = struct.unpack_from("<HH", block, offset)
        size = length & 0x3FFF
        ahead = (low - self.next) & 0xFFFF
        end = offset + 8 + size
        if length == 0xFFFF or end > len(block) or ahead > min((offset - hole) // 8, 1023) \
                or self.tried >= 64 * len(block):
            return None
        sequence = self.next + ahead
        due = sequence + (0 if length & 0x8000 else 1)
        if self.tried >= len(block) and not (
                self._is_followed(block, end, due) and
                (not length & 0x8000 or self._looks_like_state(block, offset, length))):
            return None
        payload = block[offset + 4:end - 4]
        crc = crc32c(payload, crc32c(struct.pack("<HQ", length, sequence), seed))
        if crc != struct.unpack_from("<I", block, end - 4)[0]:
            self.tried += 8 + size
            return None
        return bool(length & 0x8000), sequence, payload

    @staticmethod
    def _is_followed(block, end, due):
        if end + 8 > len(block) or block[end] == 0xFF:
            return True
        return struct.unpack_from("<H", block, end + 2)[0] == due & 0xFFFF

    def state(self):
        """The last full state record, if it is well formed, with the last short one behind it."""
        states = [payload for is_state, _, payload in self.found if is_state]
        full = [i for i, payload in enumerate(states) if len(payload) != 2]
        state = State.parse(states[full[-1]]) if full else None
        if state and full[-1] + 1 < len(states):
            low, = struct.unpack("<H", states[-1])
            state.cursor += (low - state.cursor) % 65536
            state.done = []
        return state


class State:
    def __init__(self):
        self.cursor = 1
        self.done = []
        self.losses = []

    @staticmethod
    def parse(payload):
        if len(payload) < 10:
            return None
        state = State()
        state.cursor, ranges, losses = struct.unpack_from("<QBB", payload)
        if len(payload) != 10 + 8 * ranges + 37 * losses or not 1 <= state.cursor <= SEQUENCE_MAX:
            return None
        for i in range(ranges):
            gap, count = struct.unpack_from("<II", payload, 10 + 8 * i)
            state.done.append((state.cursor + gap, state.cursor + gap + count))
        for i in range(losses):
            first, last, told, uptime, boot, reason = struct.unpack_from(
                "<QQQqIB", payload, 10 + 8 * ranges + 37 * i)
            loss = {"points": last} if first == 0 else {"first": first, "last": last}
            loss.update(told_in=told, uptime_ms=uptime, boot=boot, reason=reason)
            state.losses.append(loss)
        return state

    def is_done(self, sequence):
        return sequence < self.cursor or any(a <= sequence < b for a, b in self.done)


class Log:
    def __init__(self, image, block_size, prog_size):
        self.count = len(image) // block_size
        self.prog_size = prog_size
        self.blocks = [image[i * block_size:(i + 1) * block_size] for i in range(self.count)]
        self.openings = [Opening(block) for block in self.blocks]
        if any(opening.kind == "newer" for opening in self.openings):
            raise ValueError("the image is of a newer version")
        ours = [i for i in range(self.count) if self.openings[i].kind == "ours"]
        if not ours:
            raise ValueError("the image holds no log")
        newest = max(ours, key=lambda i: self.openings[i].serial)
        opening = self.openings[newest]
        if (opening.block_size, opening.prog_size) != (block_size, prog_size):
            raise ValueError("the image is of another geometry")
        if opening.block_count > self.count:
            raise ValueError("the image has fewer blocks than the log")
        self.stream = opening.stream
        newest = self._look_beyond(newest)
        self.chain = self._chain(newest)
        newest_records = self._records(self.chain[-1])
        self.next = newest_records.next + newest_records.spoilt
        self._step_back()
        self._find_state()
        self.next = max([self.next, self.state.cursor] + [end for _, end in self.state.done])
        self.next = max(self.next, self.lost[1]) + self.unseen
        self._reconcile()

    def _records(self, index):
        return Records(self.blocks[index], self.prog_size, self.openings[index])

    def _chain(self, newest):
        chain = [newest]
        before = self._before(newest, newest)
        while before is not None:
            chain.insert(0, before)
            before = self._before(newest, before)
        return chain

    def _before(self, newest, index):
        """The block before one in the chain: the first, or one near it with a higher serial."""
        after = self.openings[index]
        found = None
        last = (index - newest - 1) % self.count
        i = 0
        while i < last:
            i += 1
            at = (index - i) % self.count
            opening = self.openings[at]
            if (opening.kind != "ours" or opening.stream != self.stream or
                    opening.serial >= after.serial or opening.first > after.first):
                continue
            if found is None:
                last = min(last, i + SKIP_MAX)
            if found is None or opening.serial > self.openings[found].serial:
                found = at
            if self.openings[found].serial >= after.before_serial:
                break
        return found

    def _step_back(self):
        newest = self._records(self.chain[-1])
        has_state = any(is_state and len(payload) > 2 for is_state, _, payload in newest.found)
        if self.count == 2 and len(self.chain) == 2 and not has_state:
            self.chain.pop()
            self.next = max(self.next, self._records(self.chain[-1]).next)

    def _find_state(self):
        for index in reversed(self.chain):
            self.state = self._records(index).state()
            if self.state:
                return
        self.state = State()

    def _look_beyond(self, valid):
        """The newest block, which may lie behind the newest valid one; counts unseen records."""
        newest = valid
        self.unseen = 0
        self.lost = (0, 0)
        i, last = 0, SKIP_MAX
        while i < last and i + 1 < self.count:
            i += 1
            index = (valid + i) % self.count
            kind = self.openings[index].kind
            if kind == "garbage":
                found = Opening.guess(self.blocks[index], self.openings[newest])
                if found:
                    last = i + SKIP_MAX
                    self.lost = (found.first, Records(self.blocks[index], self.prog_size,
                                                      found).next)
                if found and self.count > 2:
                    self.openings[index] = found
                    newest = index
            elif kind == "lost" and index < self.openings[valid].block_count:
                self.unseen += self.openings[valid].block_size // 8
                last = i + SKIP_MAX
        return newest

    def _reconcile(self):
        for loss in self.state.losses:
            if loss["told_in"] >= self.next:
                loss["told_in"] = 0

    def open_records(self):
        for position, index in enumerate(self.chain):
            end = self.next
            if position + 1 < len(self.chain):
                after = self.openings[self.chain[position + 1]]
                gap = after.before_serial > self.openings[index].serial
                end = after.before_first if gap else after.first
            if self.openings[index].lost:
                continue
            for is_state, sequence, payload in self._records(index).found:
                if (not is_state and sequence < end and not self.state.is_done(sequence) and
                        not self.lost[0] <= sequence < self.lost[1]):
                    yield sequence, payload

    def lines(self):
        first = self.openings[self.chain[0]].first
        yield {"log": {"stream": f"{self.stream:016x}", "next": self.next,
                       "cursor": max(self.state.cursor, first), "blocks": len(self.chain)}}
        for loss in self.state.losses:
            yield {"loss": loss}
        for sequence, payload in self.open_records():
            yield {"record": {"sequence": sequence, "size": len(payload),
                              "crc32c": f"{crc32c(payload):08x}"}}


def main():
    parser = argparse.ArgumentParser(description="List what a dunlin log image holds.")
    parser.add_argument("image")
    parser.add_argument("--block-size", type=int, required=True)
    parser.add_argument("--prog-size", type=int, required=True)
    args = parser.parse_args()
    try:
        with open(args.image, "rb") as file:
            log = Log(file.read(), args.block_size, args.prog_size)
    except (OSError, ValueError) as error:
        sys.exit(f"log_reader: {args.image}: {error}")
    for line in log.lines():
        print(json.dumps(line))


if __name__ == "__main__":
    main()
