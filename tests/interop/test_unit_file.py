#!/usr/bin/python3
"""The systemd unit: no typos, and a sandbox that systemd itself calls tight."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from support.agent import BUILD, program
from support.waiting import main

BOARDS = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "boards")
EXPOSURE_MAX = 1.5  # of 10; what is left is what an agent with sensors and a network needs


@unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
class UnitFile(unittest.TestCase):
    unit = os.path.join(BUILD, "dunlind.service")

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        with open(self.unit, encoding="utf-8") as file:
            text = re.sub(r"(?m)^ExecStart=\S+", "ExecStart=" + program("dunlind"), file.read())
        self.path = os.path.join(self.folder.name, "dunlind.service")
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text)

    def analyze(self, *words):
        result = subprocess.run(["systemd-analyze", *words, self.path], text=True, timeout=60,
                                capture_output=True, check=False)
        return result.returncode, result.stdout + result.stderr

    def test_verify(self):
        code, said = self.analyze("verify", "--man=no")
        complaints = [line for line in said.splitlines() if "dunlind" in line]
        self.assertEqual((code, complaints), (0, []), said)

    def test_a_typo_is_found(self):
        with open(self.path, "a", encoding="utf-8") as file:
            file.write("[Service]\nProtectHoem=yes\n")
        self.assertIn("ProtectHoem", self.analyze("verify", "--man=no")[1])

    def test_security(self):
        _, said = self.analyze("security", "--offline=true", "--no-pager")
        level = re.search(r"Overall exposure level.*: ([0-9.]+)", said)
        self.assertIsNotNone(level, said)
        self.assertLessEqual(float(level.group(1)), EXPOSURE_MAX, said)
        print(f"exposure {level.group(1)} of 10")


class UnitFileOfWasi(UnitFile):
    unit = os.path.join(BOARDS, "wasi", "dunlind-wasi.service")


if __name__ == "__main__":
    main()
