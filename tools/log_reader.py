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

OPENING = 44
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


class Opening:
    """A block's first bytes, judged. kind: ours, newer, lost, blank, garbage."""

    def __init__(self, block):
        head = block[:OPENING]
        self.kind = "garbage"
        if head == b"\xff" * OPENING:
            self.kind = "blank"
        elif head[:4] == b"LOST":
            self.kind = "lost"
        elif head[:4] == b"DLOG":
            self._judge(block)

    def _judge(self, block):
        version, size = struct.unpack_from("<HH", block, 4)
        if version == 0 or not 12 <= size <= min(256, len(block)):
            return
        if crc32c(block[:size - 4]) != struct.unpack_from("<I", block, size - 4)[0]:
            return
        if version > 1:
            self.kind = "newer"
            return
        (self.stream, self.first, self.serial, self.block_size, self.block_count,
         self.prog_size) = struct.unpack_from("<QQIIIH", block, 8)
        if size == OPENING and 1 <= self.first <= SEQUENCE_MAX:
            self.kind = "ours"


class Records:
    """The records of one block: [(is_state, sequence, payload)], and where the last one ends."""

    def __init__(self, block, prog_size, stream, serial, first):
        self.found = []
        self.next = first
        self.spoilt = 0
        seed = crc32c(struct.pack("<QI", stream, serial))
        offset = hole = OPENING
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
        self.spoilt = min(self.spoilt, (end - good) // 8)

    @staticmethod
    def _looks_like_state(block, offset, length):
        if not length & 0x8000 or offset + 14 > len(block):
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
        """The last state record that is well formed, or None."""
        states = [payload for is_state, _, payload in self.found if is_state]
        return State.parse(states[-1]) if states else None


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
        self.chain = self._chain(newest)
        self.serial_top = opening.serial
        newest_records = self._records(self.chain[-1])
        self.next = newest_records.next + newest_records.spoilt
        self._step_back()
        self._find_state()
        self.next = max([self.next, self.state.cursor] + [end for _, end in self.state.done])
        self._look_beyond()
        self._reconcile()

    def _records(self, index):
        opening = self.openings[index]
        return Records(self.blocks[index], self.prog_size, opening.stream, opening.serial,
                       opening.first)

    def _chain(self, newest):
        chain = [newest]
        for i in range(1, self.count):
            index = (newest - i) % self.count
            opening, after = self.openings[index], self.openings[chain[0]]
            if (opening.kind == "ours" and opening.stream == self.stream and
                    opening.serial < after.serial and opening.first <= after.first):
                chain.insert(0, index)
        return chain

    def _step_back(self):
        newest = self._records(self.chain[-1])
        has_state = any(is_state and len(payload) for is_state, _, payload in newest.found)
        if self.count == 2 and len(self.chain) == 2 and not has_state:
            self.chain.pop()
            self.next = max(self.next, self._records(self.chain[-1]).next)

    def _find_state(self):
        for index in reversed(self.chain):
            self.state = self._records(index).state()
            if self.state:
                return
        self.state = State()

    def _between(self):
        """The blocks between the newest and the oldest, forwards."""
        index = (self.chain[-1] + 1) % self.count
        while index != self.chain[0]:
            yield index
            index = (index + 1) % self.count

    def _look_beyond(self):
        newest = self.openings[self.chain[-1]]
        end = self.next
        for index in self._between():
            if self.openings[index].kind == "garbage":
                records = Records(self.blocks[index], self.prog_size, self.stream,
                                  newest.serial + 1, self.next)
                if records.found:
                    end = max(end, records.next)
            elif self.openings[index].kind == "lost" and index < newest.block_count:
                end += newest.block_size // 8
        self.next = end

    def _reconcile(self):
        for loss in self.state.losses:
            if loss["told_in"] >= self.next:
                loss["told_in"] = 0

    def open_records(self):
        for position, index in enumerate(self.chain):
            end = self.next
            if position + 1 < len(self.chain):
                end = self.openings[self.chain[position + 1]].first
            for is_state, sequence, payload in self._records(index).found:
                if not is_state and sequence < end and not self.state.is_done(sequence):
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
