#!/usr/bin/python3
"""`dunlin decode` beside tools/decode.py, which was written from SPEC.md alone: the same lines on
random records, the same refusals on hostile ones; then framings, formats, arguments, exit codes.
"""
import base64
import csv
import decimal
import io
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import tomllib
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "..", "golden"))
from google.protobuf.internal.decoder import _DecodeVarint32  # noqa: E402
import batches  # noqa: E402
import decode  # noqa: E402
from batches import pb  # noqa: E402
from support.waiting import main  # noqa: E402

ROOT = os.path.join(HERE, "..", "..")
BUILD = os.environ.get("DUNLIN_BUILD", os.path.join(ROOT, "build", "linux"))
DUNLIN = os.path.join(BUILD, "dunlin")
DEADLINE_S = 60


def dunlin(*arguments, stdin=b""):
    return subprocess.run([DUNLIN, *arguments], input=stdin, capture_output=True,
                          timeout=DEADLINE_S, check=False)


def run(data, *arguments, framing="delimited"):
    """(exit code, objects on stdout, text on stderr)"""
    done = dunlin("decode", "--format", "json", "--framing", framing, *arguments, "-", stdin=data)
    return done.returncode, objects(done.stdout.decode()), done.stderr.decode()


def objects(text):
    return [json.loads(line, parse_float=decimal.Decimal) for line in text.splitlines()]


def reference(records, kind="batch", device=""):
    """What decode.py says: objects, and the numbers of the records it refuses."""
    decoder, made, refused = decode.Decoder(), [], []
    for number, record in enumerate(records, 1):
        try:
            made += [decode.to_json(line) for line in decoder.decode(kind, device, record)]
        except decode.Refused:
            refused.append(number)
    return objects("\n".join(made)), refused


def refused_in(stderr):
    return [int(line.split("record ")[1].split()[0]) for line in stderr.splitlines()
            if ": record " in line]


class Agreement(unittest.TestCase):
    def test_random_streams(self):
        for seed in range(30):
            stream = batches.RandomStream(seed)
            records = [stream.batch().SerializeToString() for _ in range(8)]
            with self.subTest(seed=seed):
                expected, refused = reference(records)
                self.assertEqual(refused, [])
                code, got, _ = run(batches.delimited(records))
                self.assertEqual(code, 0)
                self.assertEqual(got, expected)

    def test_random_streams_out_of_order_and_twice(self):
        for seed in range(8):
            stream, rng = batches.RandomStream(1000 + seed), random.Random(seed)
            records = [stream.batch().SerializeToString() for _ in range(6)]
            records += records[:2]
            rng.shuffle(records)
            with self.subTest(seed=seed):
                self.assertEqual(run(batches.delimited(records))[1], reference(records)[0])

    def test_hostile_records_are_refused_by_both(self):
        good = batches.host_batch().SerializeToString()
        for name, record in batches.HOSTILE.items():
            with self.subTest(name):
                records = [record, good]
                expected, refused = reference(records)
                self.assertEqual(refused, [1])
                code, got, errors = run(batches.delimited(records))
                self.assertEqual(code, 6)
                self.assertEqual(refused_in(errors), [1])
                self.assertIn("record 1 at byte 1" if len(record) < 128 else "record 1 at byte ",
                              errors)
                self.assertEqual(got, expected, "the record after it")

    def test_mutated_records(self):
        """Where both accept, they agree; where they differ, ours is the stricter one (varints that
        overflow their field, known fields with a wrong wire type, groups)."""
        rng = random.Random(5)
        stream = batches.RandomStream(77)
        originals = [stream.batch().SerializeToString() for _ in range(40)]
        mutants = [mutate(rng, rng.choice(originals)) for _ in range(1500)]
        code, got, errors = run(batches.delimited(mutants))
        refused = set(refused_in(errors))
        self.assertEqual(code, 6)
        self.assertTrue(200 < len(refused) < 1490, len(refused))
        decoder, expected = decode.Decoder(), []
        for number, record in enumerate(mutants, 1):
            try:
                if number not in refused:
                    expected += [decode.to_json(x) for x in decoder.decode("batch", "", record)]
            except decode.Refused as error:
                self.fail(f"record {number} is accepted by dunlin decode, but: {error}")
        self.assertEqual(got, objects("\n".join(expected)))

    def test_random_bits(self):
        """Both accept the same ones of them, and read the same from those."""
        rng = random.Random(9)
        records = [batches.garbage(rng).SerializeToString() for _ in range(800)]
        expected, refused = reference(records)
        self.assertTrue(50 < len(refused) < 790, len(refused))
        code, got, errors = run(batches.delimited(records))
        self.assertEqual(code, 6)
        self.assertEqual(refused_in(errors), refused)
        self.assertEqual(got, expected)

    def test_packed_fields_in_pieces(self):
        """Protobuf lets a sender cut a packed field, or not pack it at all."""
        header = batches.header().SerializeToString() + bytes([0x3A, 2, 0x08, 5])
        pieces = {"packed": [0x22, 4, 2, 4, 6, 1], "cut": [0x22, 2, 2, 4, 0x22, 0, 0x22, 2, 6, 1],
                  "unpacked": [0x20, 2, 0x20, 4, 0x20, 6, 0x20, 1],
                  "mixed": [0x20, 2, 0x22, 2, 4, 6, 0x20, 1]}
        for name, piece in pieces.items():
            column = bytes([0x08, 0, 0x18, 20] + piece)
            record = header + (bytes([0x42, len(column)]) + column) * 3
            with self.subTest(name):
                code, got, _ = run(record, framing="bare")
                self.assertEqual(code, 0)
                self.assertEqual([x["value"] for x in got], [10, 11, 13, 16, 15] * 3)
                self.assertEqual(got, reference([record])[0])

    def test_a_known_field_with_a_wrong_wire_type_is_refused(self):
        """Protobuf would take it for an unknown field; four bytes are no four deltas."""
        header = batches.header().SerializeToString() + bytes([0x3A, 2, 0x08, 5])
        for piece in ([0x25, 2, 4, 6, 1], [0x25, 0x82, 0x84, 0x86, 1], [0x18, 1, 0x0D, 0, 0, 0, 0]):
            column = bytes([0x08, 0, 0x18, 20] + piece)
            code, got, errors = run(header + bytes([0x42, len(column)]) + column, framing="bare")
            self.assertEqual((code, got), (6, []))
            self.assertIn("wrong wire type", errors)

    def test_fields_of_a_later_release_are_ignored(self):
        later = batches.host_batch().SerializeToString() + bytes([0xF8, 0x3F, 7, 0xFA, 0x3F, 1, 0])
        code, got, _ = run(later, framing="bare")
        self.assertEqual((code, got), (0, reference([later])[0]))

    def test_other_messages(self):
        for name, make in batches.GOLDEN.items():
            _, kind, framing = name.split(".")
            if framing == "bin" and kind != "batch":
                data = make()
                cut = [data[:size] for size in range(len(data))]
                with self.subTest(name):
                    _, got, errors = run(batches.delimited([data] + cut), "--type", kind)
                    expected, refused = reference([data] + cut, kind)
                    self.assertEqual(refused_in(errors), refused)
                    self.assertEqual(got, expected)


def mutate(rng, data):
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 4])):
        at = rng.randrange(len(data))
        how = rng.randrange(5)
        if how == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif how == 1:
            data[at] = rng.choice([0, 1, 0x7F, 0x80, 0xFF])
        elif how == 2:
            del data[at:at + rng.randint(1, 3)]
        elif how == 3:
            data[at:at] = bytes(rng.randrange(256) for _ in range(rng.randint(1, 3)))
        else:
            del data[at:]
        if not data:
            data = bytearray(b"\0")
    return bytes(data)


class Hostile(unittest.TestCase):
    def test_a_claim_costs_nothing(self):
        """Ten thousand records that claim four billion rows each."""
        data = batches.delimited([batches.HOSTILE["4 billion rows"]] * 10000)
        code, got, errors = run(data)
        self.assertEqual((code, got, len(errors.splitlines())), (6, [], 10000))

    def test_the_largest_record(self):
        """65,536 points in a few bytes are allowed, and are all there."""
        code, got, _ = run(batches.with_axis(65536).SerializeToString(), framing="bare")
        self.assertEqual((code, len(got)), (0, 65536))

    def test_a_gap_below_an_announcement(self):
        """An announcement that starts above the end of its base names nothing below itself."""
        stream = batches.growing_stream()
        stream[1].ClearField("metrics")
        stream[1].metrics.append(batches.metric(3, "far", "1"))
        stream[1].catalog = batches.dictionary_hash(stream[1].metrics, stream[1].catalog_base)
        _, got, _ = run(batches.delimited(stream[:2]))
        names = [x["metric"] for x in got if x["type"] == "point"]
        self.assertEqual(sorted(set(names)), ["#0", "#1", "#2", "#4", "far"])

    def test_too_large(self):
        record = b"\x42" + b"\0" * (17 << 20)
        good = batches.undated_batch().SerializeToString()
        code, got, errors = run(batches.delimited([record, good]))
        self.assertEqual((code, len(got)), (6, 1))
        self.assertIn("record 1 at byte 4: larger than 16 MiB", errors)
        code, _, errors = run(record, framing="bare")
        self.assertEqual(code, 6)
        self.assertIn("larger than 16 MiB", errors)


class Framing(unittest.TestCase):
    GOOD = batches.undated_batch().SerializeToString()

    def test_hex_and_base64_lines(self):
        coded = {"hex": self.GOOD.hex().encode(), "base64": base64.b64encode(self.GOOD)}
        for framing, word in coded.items():
            with self.subTest(framing):
                text = b"\n" + word + b"\r\n" + b"  \n" + b"@@@\n" + b"dunlin/f/d1/batch " + word
                code, got, errors = run(text, "--device", "x", framing=framing)
                self.assertEqual(code, 6)
                self.assertEqual([x["device"] for x in got], ["x", "d1"])
                self.assertIn(f"record 2 at byte {len(word) + 6}: not {framing[:4]}", errors)

    def test_topic_names_the_type(self):
        channels = {"reported": "config/reported"}
        types = [(name.split(".")[1], make) for name, make in batches.GOLDEN.items()
                 if name.endswith(".bin")]
        lines = [f"p/f/d1/{channels.get(name, name)} {make().hex()}" for name, make in types]
        code, got, _ = run("\n".join(lines).encode(), framing="hex")
        self.assertEqual(code, 0)
        self.assertEqual({x["type"] for x in got},
                         {"point", "loss", "anchor", "metric", "about", "stored", "config",
                          "config_report"})
        # The golden messages say that they are of the device `golden`: the topic knows better.
        self.assertEqual({x["device"] for x in got}, {"d1"})

    def test_topics_that_are_not_ours(self):
        for topic in ("a/b/c", "a/b/c/d/batch", "a/b/c/batch/x", "a/b/c/batches", "a//c/batch",
                      "/", "a/b/" + "c" * 65 + "/batch", "a/b/c\x1b/batch", "a/b/+/batch"):
            code, got, errors = run(f"{topic} 00".encode(), framing="hex")
            self.assertEqual((code, got), (6, []))
            self.assertIn("its topic is not PREFIX/FLEET/DEVICE/CHANNEL", errors)

    def test_delimited_that_ends_early(self):
        whole = batches.delimited([self.GOOD, self.GOOD])
        for size in range(len(whole)):
            code, got, errors = run(whole[:size])
            boundaries = {0: 0, len(self.GOOD) + 1: 1}
            self.assertEqual(code, 0 if size in boundaries else 6, size)
            self.assertEqual(len(got), size // (len(self.GOOD) + 1), size)
            if size not in boundaries:
                self.assertIn("cut off", errors)

    def test_delimited_without_lengths(self):
        code, got, errors = run(b"\xff" * 100)
        self.assertEqual((code, got), (6, []))
        self.assertIn("its length is no length", errors)

    def test_bare_is_a_file_and_a_bad_file_hides_no_other(self):
        with tempfile.TemporaryDirectory() as folder:
            good, bad = os.path.join(folder, "good"), os.path.join(folder, "bad")
            with open(good, "wb") as file:
                file.write(self.GOOD)
            with open(bad, "wb") as file:
                file.write(b"no")
            done = dunlin("decode", bad, os.path.join(folder, "none"), good)
            self.assertEqual(done.returncode, 1)
            self.assertEqual(len(objects(done.stdout.decode())), 1)
            self.assertIn(f"{bad}: record 1 at byte 0", done.stderr.decode())
            self.assertIn("none: No such file or directory", done.stderr.decode())


class Formats(unittest.TestCase):
    def decode(self, record, form, *arguments):
        done = dunlin("decode", "-f", form, "--device", "d 1".replace(" ", ""), *arguments, "-",
                      stdin=record)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode(), done.stderr.decode()

    def odd_batch(self, exponent=0):
        metrics = [batches.metric(0, "a, b=\"c\"", "m s", exponent, k="x=y, \\", e="")]
        batch = pb.Batch(stream=1, sequence=1, boot=1, base_uptime_ms=0, boot_unix_ms=-1500,
                         catalog=batches.dictionary_hash(metrics))
        batch.metrics.extend(metrics)
        batches.add_column(batch, 0, batches.add_axis(batch, [0, 1500]), [-5, 1200])
        return batch.SerializeToString()

    def test_csv(self):
        text, _ = self.decode(self.odd_batch(-2), "csv")
        rows = list(csv.reader(io.StringIO(text)))
        self.assertEqual(rows[0][:5], ["time", "device", "metric", "value", "unit"])
        self.assertEqual(rows[1], ["1969-12-31T23:59:58.500Z", "d1", "a, b=\"c\"", "-0.05", "m s",
                                   "00000001", "0", "0000000000000001", "1", "k=x=y, \\;e=", ""])
        self.assertEqual(rows[2][:4], ["1970-01-01T00:00:00.000Z", "d1", "a, b=\"c\"", "12"])

    def delimited(self, record, *arguments):
        """What --format delimited writes, read by protobuf's own library."""
        done = dunlin("decode", "-f", "delimited", *arguments, "-", stdin=record)
        self.assertEqual(done.returncode, 0, done.stderr)
        samples, data = [], done.stdout
        while data:
            size, begin = _DecodeVarint32(data, 0)
            samples.append(pb.Sample.FromString(data[begin:begin + size]))
            data = data[begin + size:]
        return samples, done.stderr.decode()

    def test_delimited(self):
        samples, _ = self.delimited(self.odd_batch(-2), "--device", "d1")
        want = pb.Sample(device="d1", metric='a, b="c"', unit="m s", value=-0.05, time=-1500,
                         boot=1, uptime_ms=0)
        want.attributes.extend([pb.Attribute(key="k", value="x=y, \\"), pb.Attribute(key="e")])
        self.assertEqual(samples[0], want)
        self.assertEqual((samples[1].value, samples[1].time, samples[1].uptime_ms), (12, 0, 1500))
        samples, _ = self.delimited(batches.states_batch().SerializeToString())
        self.assertIn("closed", [sample.state for sample in samples])

    def test_delimited_leaves_out_only_what_has_no_name(self):
        samples, errors = self.delimited(batches.undated_batch().SerializeToString())
        self.assertEqual(samples, [])
        self.assertIn("1 points left out", errors)
        batch = pb.Batch.FromString(self.odd_batch())
        batch.ClearField("boot_unix_ms")
        samples, _ = self.delimited(batch.SerializeToString())
        self.assertEqual([sample.HasField("time") for sample in samples], [False, False])

    def test_influx(self):
        text, _ = self.decode(self.odd_batch(), "influx")
        head = r'a\,\ b="c",device=d1,unit=m\ s,k=x\=y\,\ _ value='
        self.assertEqual(text.splitlines(), [head + "-5i -1500000000", head + "1200i 0"])
        text, _ = self.decode(self.odd_batch(-2), "influx")
        self.assertEqual(text.splitlines()[1], head + "12 0")

    def test_influx_leaves_out_what_it_cannot_say(self):
        text, errors = self.decode(batches.undated_batch().SerializeToString(), "influx")
        self.assertEqual(text, "")
        self.assertIn("1 points left out", errors)

    def test_table_keeps_control_characters_from_the_terminal(self):
        metrics = [batches.metric(0, "evil\x1b[2J\x7f\u009b", "1")]
        batch = pb.Batch(stream=1, sequence=1, boot=1, base_uptime_ms=0,
                         catalog=batches.dictionary_hash(metrics))
        batch.metrics.extend(metrics)
        batches.add_column(batch, 0, batches.add_axis(batch, [0]), [1])
        text, _ = self.decode(batch.SerializeToString(), "table")
        self.assertIn("evil?[2J??", text)
        self.assertTrue(all(c == "\n" or c.isprintable() for c in text))

    def test_unknown_dictionary_is_told_once(self):
        _, errors = self.decode(batches.undated_batch().SerializeToString(), "json")
        self.assertEqual(errors.count("1 of 1 points have no dictionary"), 1)
        with tempfile.NamedTemporaryFile() as file:
            file.write(batches.catalog().SerializeToString())
            file.flush()
            text, errors = self.decode(batches.anchored_batch().SerializeToString(), "json",
                                       "--catalog", file.name)
        self.assertEqual(objects(text)[-1]["metric"], "system.memory.usage")
        self.assertNotIn("dictionary", errors)

    def test_not_finite(self):
        record = pb.Samples()
        for value in (float("nan"), float("inf"), -float("inf")):
            record.samples.add(metric="a", value=value, time=1)
        text, _ = self.decode(record.SerializeToString(), "json", "--type", "samples")
        self.assertEqual([x["value"] for x in objects(text)], [None] * 3)
        self.assertEqual([x["special"] for x in objects(text)], ["NaN", "Infinity", "-Infinity"])
        text, errors = self.decode(record.SerializeToString(), "influx", "--type", "samples")
        self.assertEqual(text, "")
        self.assertIn("3 points left out", errors)
        for form in ("csv", "table"):
            text, _ = self.decode(record.SerializeToString(), form, "--type", "samples")
            self.assertEqual(re.findall(r"-?Infinity|NaN", text), ["NaN", "Infinity", "-Infinity"])

    def test_doubles_keep_their_bits(self):
        text, _ = self.decode(batches.reals_batch().SerializeToString(), "csv")
        rows = [row["value"] for row in csv.DictReader(io.StringIO(text)) if row["metric"] == "#5"]
        self.assertEqual(rows, ["0.1", "NaN", "0.3", "-0", "Infinity", "0.1"])
        text, errors = self.decode(batches.states_batch().SerializeToString(), "influx")
        self.assertIn("flow,device=d1,unit=m3/h value=0.125 1767225602000000000\n", text)
        self.assertEqual(errors, "")

    def test_states_are_named_in_every_form(self):
        data = batches.states_batch().SerializeToString()
        text, _ = self.decode(data, "json")
        points = [x for x in objects(text) if x["type"] == "point" and x["metric"] == "door"]
        self.assertEqual([(x["value"], x.get("state")) for x in points],
                         [(0, "closed"), (2, 'open "wide"'), (1, "ajar"), (3, None), (-1, None)])
        text, _ = self.decode(data, "csv")
        rows = [(row["value"], row["state"]) for row in csv.DictReader(io.StringIO(text))]
        self.assertEqual(rows[1:4], [("2", 'open "wide"'), ("1", "ajar"), ("3", "")])
        self.assertEqual(rows[5:8], [("1", "true"), ("1", "true"), ("0", "false")])
        text, _ = self.decode(data, "influx")
        self.assertEqual(text.splitlines()[1:4],
                         [r'door,device=d1,unit=1 value=2i,state="open \"wide\""'
                          " 1767225601000000000",
                          'door,device=d1,unit=1 value=1i,state="ajar" 1767225602000000000',
                          "door,device=d1,unit=1 value=3i 1767225603000000000"])
        text, _ = self.decode(data, "table")
        self.assertEqual([" ".join(line.split()[3:-1]) for line in text.splitlines()
                          if " door " in line and "metric" not in line],
                         ["closed", 'open "wide"', "ajar", "3", "-1"])


class Examples(unittest.TestCase):
    def test_telegraf_names_what_exists(self):
        """Telegraf itself is not here; that type and fields exist can be checked."""
        with open(os.path.join(ROOT, "tools", "examples", "telegraf.conf"), "rb") as file:
            settings = tomllib.load(file)["inputs"]["mqtt_consumer"][0]
        self.assertEqual(settings["xpath_protobuf_type"], pb.Samples.DESCRIPTOR.full_name)
        query = settings["xpath"][0]
        rows = pb.Samples.DESCRIPTOR.fields_by_name[
            re.fullmatch(r"//(\w+)\[time\]", query["metric_selection"])[1]]
        paths = [query["timestamp"], re.fullmatch(r"string\((\w+)\)", query["metric_name"])[1],
                 query["tag_selection"], *query["tags"].values(), *query["fields"].values()]
        for path in paths:
            self.assertIn(path, rows.message_type.fields_by_name)
        pairs = rows.message_type.fields_by_name[query["tag_selection"]].message_type
        # Telegraf stops at maps, or goes on, by its version.
        self.assertFalse(pairs.GetOptions().map_entry)
        for key in ("tag_name", "tag_value"):
            self.assertIn(re.fullmatch(r"string\((\w+)\)", query[key])[1], pairs.fields_by_name)


class CommandLine(unittest.TestCase):
    def test_wrong_arguments_have_their_own_line(self):
        wrong = {(): "a command is needed", ("fly",): "unknown command 'fly'",
                 ("decode",): "a FILE is needed", ("decode", "-x"): "unknown option -x",
                 ("decode", "--formats"): "unknown option --formats",
                 ("decode", "--format"): "--format needs a value",
                 ("decode", "-f"): "-f needs a value",
                 ("decode", "--help=1"): "--help takes no value",
                 ("decode", "-f", "xml", "-"): "--format 'xml' is not json, csv",
                 ("decode", "--framing=x", "-"): "--framing 'x' is not bare, delimited",
                 ("decode", "--type", "status", "-"): "--type 'status' is not batch",
                 ("decode", "--device", "a/b", "-"): "--device 'a/b' is not [A-Za-z0-9._-]{1,64}",
                 ("decode", "--device", "a" * 65, "-"): "is not [A-Za-z0-9._-]{1,64}"}
        for arguments, line in wrong.items():
            done = dunlin(*arguments)
            with self.subTest(arguments):
                self.assertEqual((done.returncode, done.stdout), (2, b""))
                self.assertIn(line, done.stderr.decode())
                self.assertEqual(len(done.stderr.splitlines()), 1)

    def test_help_and_version(self):
        for arguments in (["--help"], ["decode", "--help"], ["watch", "--help"], ["--version"],
                          ["decode", "--version"], ["watch", "--version"]):
            done = dunlin(*arguments)
            self.assertEqual((done.returncode, done.stderr), (0, b""), arguments)
            self.assertIn(b"dunlin", done.stdout)

    def test_a_reader_that_goes_away_is_no_error_message(self):
        data = batches.delimited([batches.host_batch().SerializeToString()] * 3000)
        process = subprocess.Popen([DUNLIN, "decode", "--framing", "delimited", "-"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        process.stdout.close()
        try:
            process.stdin.write(data)
            process.stdin.close()
        except BrokenPipeError:
            pass
        self.assertEqual(process.stderr.read(), b"")
        process.stderr.close()
        self.assertEqual(process.wait(timeout=DEADLINE_S), -13)

    def test_full_disk(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([DUNLIN, "decode", "-"], input=Framing.GOOD, stdout=full,
                                  stderr=subprocess.PIPE, timeout=DEADLINE_S, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"No space left on device", done.stderr)


if __name__ == "__main__":
    main()
