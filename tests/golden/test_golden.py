#!/usr/bin/python3
"""Every golden example decodes to what is written beside it: by tools/decode.py, by `dunlin decode`
and, for its fields, by `protoc --decode` with the shipped .proto. Examples are never removed: the
list of the first release is in batches.py.
"""
import decimal
import json
import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, HERE)
import batches  # noqa: E402

ROOT = os.path.join(HERE, "..", "..")
GOLDEN = os.path.join(ROOT, "proto", "golden")
BUILD = os.environ.get("DUNLIN_BUILD", os.path.join(ROOT, "build", "linux"))
DUNLIN = os.path.join(BUILD, "dunlin")
MESSAGES = {"batch": "Batch", "samples": "Samples", "catalog": "Catalog", "about": "About",
            "stored": "Stored", "config": "Config", "reported": "ConfigReport"}


def lines(text):
    """JSON lines as objects, with exact numbers."""
    return [json.loads(line, parse_float=decimal.Decimal) for line in text.splitlines()]


class Golden(unittest.TestCase):
    def examples(self):
        for name in sorted(os.listdir(GOLDEN)):
            if not name.endswith(".json"):
                stem, kind, framing = name.split(".")
                with open(os.path.join(GOLDEN, f"{stem}.{kind}.json"), encoding="utf-8") as file:
                    expected = lines(file.read())
                with self.subTest(name):
                    yield (os.path.join(GOLDEN, name), kind,
                           "bare" if framing == "bin" else framing, expected)

    def run_decoder(self, program):
        count = 0
        for path, kind, framing, expected in self.examples():
            done = subprocess.run([*program, "--type", kind, "--framing", framing, "--device",
                                   "golden", path], capture_output=True, text=True, check=True)
            self.assertEqual(lines(done.stdout), expected)
            count += 1
        self.assertGreaterEqual(count, len(batches.GOLDEN))

    def test_dunlin_decode(self):
        self.run_decoder([DUNLIN, "decode", "--format", "json"])

    def test_decode_py(self):
        self.run_decoder([sys.executable, os.path.join(ROOT, "tools", "decode.py")])

    def test_all_of_the_first_release_are_there(self):
        there = os.listdir(GOLDEN)
        for name in batches.GOLDEN:
            self.assertIn(name, there)

    def test_they_are_as_the_generator_makes_them(self):
        """The generator still speaks version 1, or an example was changed."""
        for name, make in batches.GOLDEN.items():
            with open(os.path.join(GOLDEN, name), "rb") as file:
                self.assertEqual(file.read(), make(), name)

    def test_protoc_reads_every_field(self):
        for path, kind, framing, _ in self.examples():
            if framing == "bare":
                with open(path, "rb") as file:
                    done = subprocess.run(
                        ["protoc", "-I" + os.path.join(ROOT, "proto"),
                         "--decode=dunlin.v1." + MESSAGES[kind], "telemetry.proto"],
                        stdin=file, capture_output=True, text=True, check=True)
                self.assertNotRegex(done.stdout, r"(?m)^\s*\d+:", "a field that .proto lacks")
                self.assertRegex(done.stdout, "stream: |version: ")


if __name__ == "__main__":
    unittest.main()
