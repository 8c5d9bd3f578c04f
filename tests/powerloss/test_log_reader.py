"""Holds tools/log_reader.py against the C log, on images that power cuts left.

    test_log_reader.py POWERLOSS LOG_READER
"""
import importlib.util
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

POWERLOSS, READER = sys.argv[1:3]


def load_reader():
    spec = importlib.util.spec_from_file_location("log_reader", READER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class BothReadersAgree(unittest.TestCase):
    def test_images_after_power_cuts(self):
        reader = load_reader()
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([POWERLOSS, "--images", folder], check=True, stdout=subprocess.DEVNULL)
            expectations = sorted(pathlib.Path(folder).glob("*.json"))
            self.assertGreater(len(expectations), 100)
            for path in expectations:
                with self.subTest(path.name):
                    expected = json.loads(path.read_text())
                    image = path.with_suffix(".img").read_bytes()
                    self.compare(reader, image, expected)

    def compare(self, reader, image, expected):
        try:
            log = reader.Log(image, expected["block_size"], expected["prog_size"])
        except ValueError:
            self.assertEqual(expected["next"], 1)
            return
        records = [[sequence, len(payload), f"{reader.crc32c(payload):08x}"]
                   for sequence, payload in log.open_records()]
        self.assertEqual(records, expected["records"])
        self.assertEqual((log.stream, log.next), (expected["stream"], expected["next"]))


class Refusals(unittest.TestCase):
    def run_reader(self, image):
        with tempfile.NamedTemporaryFile() as file:
            file.write(image)
            file.flush()
            return subprocess.run([READER, file.name, "--block-size", "256", "--prog-size", "4"],
                                  capture_output=True, text=True, check=False)

    def test_no_log(self):
        for image in (b"", b"\xff" * 1024, b"\0" * 1024):
            result = self.run_reader(image)
            self.assertEqual(result.returncode, 1)
            self.assertIn("holds no log", result.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
