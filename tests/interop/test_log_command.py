#!/usr/bin/python3
"""`dunlin log` beside tools/log_reader.py, which was written from LOG_FORMAT.md alone: the same
records, the same ledger, on the log of a daemon without a broker, on what power cuts left, and on
spoilt copies of both. Then what people see, arguments and exit codes.
"""
import hashlib
import json
import os
import pathlib
import random
import re
import struct
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "tools"))
import log_reader  # noqa: E402
from support.agent import Agent, program  # noqa: E402
from support.waiting import DEADLINE_S, free_port, main, wait_for  # noqa: E402

DUNLIN, POWERLOSS = program("dunlin"), program("powerloss")
BLOCK = 8192
REASONS = ("unspecified", "overflow", "damaged", "storage", "rejected", "too_large", "merged")
WATCHED = 40  # records that the shared log has at least


def dunlin(*arguments, stdin=b""):
    return subprocess.run([DUNLIN, *arguments], input=stdin, capture_output=True,
                          timeout=DEADLINE_S, check=False)


def look(path, *arguments):
    """(exit code, objects on stdout, text on stderr)"""
    done = dunlin("log", "--format", "json", *arguments, str(path))
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    for line in objects:
        line.pop("oldest_age_ms", None)  # the only thing that changes from one look to the next
    return done.returncode, objects, done.stderr.decode()


def of_type(objects, kind):
    return [line for line in objects if line["type"] == kind]


def one(objects, kind):
    (line,) = of_type(objects, kind)
    return line


def records_of(objects):
    return [(line["seq"], line["size"], line["crc32c"]) for line in of_type(objects, "record")]


def agree(test, path, block_size=BLOCK, prog_size=1, image=None):
    """Both readers find the same. Returns what log_reader.py found, None if that is no log."""
    image = pathlib.Path(path).read_bytes() if image is None else image
    code, objects, errors = look(path, "--records")
    try:
        log = log_reader.Log(image, block_size, prog_size)
    except ValueError:
        test.assertEqual(of_type(objects, "record"), [], errors)
        return None
    test.assertIn(code, (0, 6), errors)
    state, records = one(objects, "log"), one(objects, "records")
    test.assertEqual((state["stream"], state["blocks_used"], state["block_size"]),
                     (f"{log.stream:016x}", len(log.chain), block_size))
    test.assertEqual(records["next"], log.next)
    expected = [(sequence, len(payload), f"{log_reader.crc32c(payload):08x}")
                for sequence, payload in log.open_records()]
    test.assertEqual(records_of(objects), expected)
    test.assertEqual(records["waiting"], len(expected))
    test.assertEqual(
        [(x["first"], x["last"], x["points"], x["told_in"] or 0, x["uptime_ms"], int(x["boot"], 16),
          x["reason"]) for x in of_type(objects, "ledger") if x["stored"]],
        [(x.get("first"), x.get("last"), x.get("points"), x["told_in"], x["uptime_ms"], x["boot"],
          REASONS[x["reason"]]) for x in log.state.losses])
    return log


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="dunlin-log-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def file(self, data, name="image"):
        path = os.path.join(self.folder, name)
        pathlib.Path(path).write_bytes(data)
        return path


class RealLog(Folder):
    """The log of a daemon that never reached a broker."""

    @classmethod
    def setUpClass(cls):
        with Agent(free_port(), settings={"log": {"size": "64K"}}) as agent:
            agent.start()
            cls.live = []

            def look_at_living():
                assert agent.alive(), agent.log()
                code, objects, errors = look(agent.state)
                if objects:
                    cls.live.append((code, objects, errors))
                    return one(objects, "records")["waiting"] >= WATCHED
                return False
            wait_for(look_at_living, f"{WATCHED} records to wait")
            cls.pid = agent.process.pid
            agent.kill()
            cls.image = pathlib.Path(agent.state, "log").read_bytes()
            cls.lock = pathlib.Path(agent.state, "lock").read_bytes()

    def test_while_the_daemon_runs(self):
        waiting = [one(objects, "records")["waiting"] for _, objects, _ in self.live]
        self.assertEqual(waiting, sorted(waiting))
        for code, objects, errors in self.live:
            self.assertEqual((code, errors), (0, ""))
            self.assertEqual(one(objects, "log")["process"], self.pid)

    def test_a_dead_device_as_folder_and_as_file(self):
        path = self.file(self.image, "log")
        self.file(self.lock, "lock")
        self.assertEqual(look(self.folder, "--records"), look(path, "--records"))
        log = agree(self, path)
        self.assertGreaterEqual(len(list(log.open_records())), WATCHED)
        self.assertEqual(look(path)[0], 0)

    def test_it_writes_nothing(self):
        path = self.file(self.image, "log")
        os.chmod(path, 0o400)
        before = os.stat(path)
        look(path, "--records", "--points")
        after = os.stat(path)
        self.assertEqual((after.st_mtime_ns, after.st_size), (before.st_mtime_ns, before.st_size))
        self.assertEqual(hashlib.sha256(pathlib.Path(path).read_bytes()).digest(),
                         hashlib.sha256(self.image).digest())
        self.assertEqual(os.listdir(self.folder), ["log"])

    def test_records_and_points_are_what_decode_prints(self):
        log = log_reader.Log(self.image, BLOCK, 1)
        payloads = b"".join(varint(len(payload)) + payload for _, payload in log.open_records())
        decoded = dunlin("decode", "--format", "json", "--framing", "delimited", "--device", "d-1",
                         "-", stdin=payloads)
        path = self.file(self.image)
        code, objects, errors = look(path, "--records", "--points", "--device", "d-1")
        self.assertEqual((code, errors), (0, ""))
        expected = [json.loads(line) for line in decoded.stdout.splitlines()]
        own = ("log", "records", "ledger", "damage", "record")
        self.assertEqual([line for line in objects if line["type"] not in own], expected)
        points = of_type(objects, "point")
        self.assertTrue(all(point["time"] for point in points))
        for record in of_type(objects, "record"):
            self.assertEqual(struct.unpack_from("<HH", self.image, record["byte"]),
                             (record["size"], record["seq"] & 0xFFFF))
            held = [point for point in points if point["seq"] == record["seq"]]
            self.assertEqual((record["points"], record["metrics"]),
                             (len(held), len({point["metric"] for point in held})))
            if held:
                times = [point["time"] for point in held]
                self.assertEqual((record["time_first"], record["time_last"]),
                                 (min(times), max(times)))
        self.assertEqual(one(objects, "records")["oldest_time"],
                         min(point["time"] for point in points))

    def test_points_in_the_other_formats(self):
        path = self.file(self.image)
        csv = dunlin("log", "--points", "--format", "csv", "--device", "d-1", path).stdout.decode()
        count = len(of_type(look(path, "--points")[1], "point"))
        self.assertEqual(len(csv.splitlines()), count + 1)
        influx = dunlin("log", "--points", "--format=influx", "--device", "d-1", path).stdout
        self.assertEqual(len(influx.splitlines()), count)

    def test_for_people(self):
        path = self.file(self.image)
        records = one(look(path)[1], "records")
        text = dunlin("log", "--format", "table", "--records", "--points", path).stdout.decode()
        for words in (r"log +\S+/image\n", r"format +2, stream [0-9a-f]{16}\n",
                      r"geometry +8 blocks of 8192 bytes, programmed by 1\n", r"losses +none\n",
                      rf"{records['waiting']} waiting: 1 to {records['last']}\n",
                      r"oldest +waits since 20\d\d-\S+Z, \d+ s\n", r"SEQUENCE +BYTE +SIZE",
                      rf"\n +{records['last']} +\d+ +\d+ +\d+ +\d+  20\S+Z  20\S+Z\n",
                      r"\nTIME +DEVICE +METRIC"):
            self.assertRegex(text, words)

    def test_a_flipped_byte_costs_one_record(self):
        target = of_type(look(self.file(self.image), "--records")[1], "record")[9]
        spoilt = bytearray(self.image)
        spoilt[target["byte"] + 12] ^= 0x40
        path = self.file(spoilt)
        code, objects, _ = look(path, "--records")
        self.assertEqual(code, 6)
        self.assertNotIn(target["seq"], [record[0] for record in records_of(objects)])
        self.assertEqual(one(objects, "records")["unreadable"], 1)
        (loss,) = of_type(objects, "ledger")
        self.assertEqual((loss["first"], loss["last"], loss["reason"], loss["stored"]),
                         (target["seq"], target["seq"], "damaged", False))
        agree(self, path)
        self.assertIn("found just now", dunlin("log", "-f", "table", path).stdout.decode())

    def test_a_spoilt_block_is_named(self):
        spoilt = bytearray(self.image)
        spoilt[5 * BLOCK:5 * BLOCK + 4] = b"junk"
        code, objects, _ = look(self.file(spoilt))
        self.assertEqual(code, 0, "nothing was in it")
        damage = one(objects, "damage")
        self.assertEqual((damage["block"], damage["byte"], damage["kind"]), (5, 5 * BLOCK,
                                                                             "garbage"))

    def test_a_file_that_was_cut_off(self):
        for blocks in (1, 2, 3, 7):
            image = self.image[:blocks * BLOCK]
            lost = b"LOST".ljust(BLOCK, b"\xff") * (len(self.image) // BLOCK - blocks)
            with self.subTest(blocks=blocks):
                path = self.file(image)
                agree(self, path, image=image + lost)
                text = dunlin("log", "-f", "table", path).stdout.decode()
                self.assertIn(f"block {blocks} at byte {blocks * BLOCK}: missing", text)
                self.assertIn("cut off", text)

    def test_a_block_that_was_cut_gives_what_is_left(self):
        records = of_type(look(self.file(self.image), "--records")[1], "record")
        kept = [record for record in records if record["byte"] + record["size"] + 8 <= 2000]
        code, objects, _ = look(self.file(self.image[:2000]), "--records")
        self.assertEqual(code, 6)
        self.assertEqual(of_type(objects, "record"), kept)

    def test_spoilt_copies(self):
        rng, refused = random.Random(7), 0
        for number in range(60):
            path = self.file(spoil(rng, self.image))
            with self.subTest(number=number):
                refused += agree(self, path) is None
        self.assertLess(refused, 60)

    def test_without_a_good_opening(self):
        image = self.image.replace(b"DLOG\x02\x00", b"DLOG\x01\x01")
        code, objects, errors = look(self.file(image))
        self.assertEqual((code, objects), (6, []))
        self.assertIn("byte 0: the opening of a block is damaged", errors)

    def test_a_newer_version(self):
        opening = bytearray(self.image[:52])
        opening[4] = 3
        opening[48:] = struct.pack("<I", log_reader.crc32c(bytes(opening[:48])))
        for place in (0, 3 * BLOCK):
            image = bytearray(self.image)
            image[place:place + 52] = opening
            code, objects, errors = look(self.file(image))
            self.assertEqual((code, objects), (6, []))
            self.assertIn(f"byte {place}: a log of format version 3", errors)

    def test_the_geometry_by_hand(self):
        path = self.file(self.image)
        self.assertEqual(look(path, "--block-size", "8192", "--prog-size", "1"), look(path))
        code, _, errors = look(path, "--block-size", "4096")
        self.assertEqual(code, 6)
        self.assertRegex(errors, r"byte \d+: the newest block is one of 8192 bytes programmed by 1")
        for arguments in (("--block-size", "8191", "--prog-size", "2"), ("--block-size", "255"),
                          ("--prog-size", "0"), ("--prog-size", "x")):
            self.assertEqual(look(path, *arguments)[0], 2, arguments)


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def spoil(rng, image):
    image = bytearray(image)
    for _ in range(rng.randrange(1, 6)):
        start = rng.randrange(0, 3 * BLOCK)
        size = rng.choice((1, 1, 2, 8, 300, BLOCK))
        how = rng.randrange(4)
        chunk = image[start:start + size]
        if how == 0:
            chunk = bytes(rng.randrange(256) for _ in chunk)
        elif how == 1:
            chunk = b"\xff" * len(chunk)
        elif how == 2:
            chunk = bytes(byte ^ 1 << rng.randrange(8) for byte in chunk)
        else:
            other = rng.randrange(0, len(image) - size)
            chunk = image[other:other + len(chunk)]
        image[start:start + len(chunk)] = chunk
    return bytes(image)


class OtherLogs(Folder):
    def fill(self, settings, enough):
        """The state folder of a daemon that ran until `enough` held for what dunlin log says."""
        with Agent(free_port(), sensors=32, settings=settings) as agent:
            agent.start()

            def done():
                assert agent.alive(), agent.log()
                objects = look(agent.state, "--records")[1]
                return objects and enough(objects)
            wait_for(done, "the log to be as it should be")
            agent.kill()
            return self.file(pathlib.Path(agent.state, "log").read_bytes())

    def test_an_overflowed_log_tells_its_losses(self):
        path = self.fill({"log": {"size": "16K"}},
                         lambda objects: of_type(objects, "ledger"))
        self.assertGreater(len(agree(self, path).state.losses), 0)
        text = dunlin("log", "-f", "table", path).stdout.decode()
        self.assertRegex(text, r"\n  1 to \d+, overflow, 20\S+Z, (told in \d+|not told yet)")

    def test_plain_samples(self):
        path = self.fill({"agent": {"encoding": "plain"}},
                         lambda objects: one(objects, "records")["waiting"] > 20)
        agree(self, path)
        code, objects, _ = look(path, "--records", "--points")
        self.assertEqual(code, 0)
        self.assertIn("samples", {record["kind"] for record in of_type(objects, "record")})
        self.assertEqual(sum(record["points"] for record in of_type(objects, "record")),
                         len(of_type(objects, "point")))
        code, _, errors = look(path, "--type", "batch")
        self.assertEqual(code, 6)
        self.assertRegex(errors, r"record 1 at byte \d+: .*\n(.*\n)*.* records more")

    @unittest.skipUnless(os.path.exists(POWERLOSS), "powerloss is not built")
    def test_images_after_power_cuts(self):
        subprocess.run([POWERLOSS, "--images", self.folder], check=True,
                       stdout=subprocess.DEVNULL)
        expectations = sorted(pathlib.Path(self.folder).glob("*.json"))
        self.assertGreater(len(expectations), 100)
        for path in expectations[::12]:
            shape = json.loads(path.read_text())
            with self.subTest(path.name):
                agree(self, path.with_suffix(".img"), shape["block_size"], shape["prog_size"])


class Refusals(Folder):
    def refused(self, data, words):
        code, objects, errors = look(self.file(data), "--records", "--points")
        self.assertEqual((code, objects), (6, []))
        self.assertRegex(errors, r"^dunlin log: \S+/image: byte \d+: .*" + words)

    def test_what_is_no_log(self):
        self.refused(b"", "is empty")
        self.refused(b"Dear diary, today DLOG happened.\n" * 200, "opening of a block is damaged")
        self.refused(b"[agent]\nstate = /var/lib/dunlin\n" * 100, "not a log")
        self.refused(bytes(40000), "not a log")
        self.refused(random.Random(1).randbytes(100000), "not a log")

    def test_a_blank_one_is_a_log_without_records(self):
        code, objects, errors = look(self.file(b"\xff" * 65536), "--records", "--points")
        self.assertEqual((code, errors), (0, ""))
        self.assertEqual((one(objects, "log")["version"], one(objects, "records")["waiting"]),
                         (None, 0))
        text = dunlin("log", "-f", "table", self.file(b"\xff" * 65536)).stdout.decode()
        self.assertIn("nothing was stored yet", text)

    def test_an_opening_that_claims_too_much(self):
        for claim in (1, 3 << 30):
            opening = struct.pack("<4sHHQQIIIHH", b"DLOG", 1, 44, 7, 1, 1, 256, claim, 1, 0)
            block = (opening + struct.pack("<I", log_reader.crc32c(opening))).ljust(256, b"\xff")
            code, _, errors = look(self.file(block))
            self.assertEqual(code, 0 if claim == 1 else 6, errors)

    def test_files_that_cannot_be_read(self):
        fifo = os.path.join(self.folder, "fifo")
        os.mkfifo(fifo)
        for path in (os.path.join(self.folder, "none"), self.folder, fifo, "/dev/null"):
            code, objects, errors = look(path)
            self.assertEqual((code, objects), (1, []), path)
            self.assertTrue(re.fullmatch(r"dunlin log: \S+: [^\n]+\n", errors), errors)
        self.assertEqual(look(self.file(b"\xff" * 512), "--catalog", fifo + "x")[0], 1)

    def test_usage(self):
        for arguments in ((), ("a", "b"), ("--wrong", "a"), ("--format", "xml", "a"),
                          ("--format", "csv", "a"), ("--format", "csv", "--points", "--records",
                                                     "a"),
                          ("--device", "a/b", "a"), ("--type", "about", "a"), ("--records=1", "a")):
            done = dunlin("log", *arguments)
            self.assertEqual((done.returncode, done.stdout), (2, b""), arguments)
            self.assertIn(b"dunlin log: ", done.stderr)

    def test_help(self):
        done = dunlin("log", "--help")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertIn(b"--records", done.stdout)
        self.assertIn(b"  log ", dunlin("--help").stdout)


if __name__ == "__main__":
    main()
