#!/usr/bin/python3
"""What is installed works from outside: find_package, pkg-config, and the tree as a folder."""
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest

from google.protobuf import descriptor_pb2

from support.agent import BUILD
from support.waiting import main

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", ".."))
CONSUMER = os.path.join(ROOT, "tests", "package")


def run(*words, **options):
    result = subprocess.run(words, text=True, capture_output=True, timeout=280, check=False,
                            **options)
    if result.returncode != 0:
        raise AssertionError(f"{shlex.join(words)}\n{result.stdout}\n{result.stderr}")
    return result.stdout


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.stage = os.path.join(cls.folder.name, "stage")
        with open(os.path.join(BUILD, "CMakeCache.txt"), encoding="utf-8") as cache:
            prefix = next(line.split("=", 1)[1].strip() for line in cache
                          if line.startswith("CMAKE_INSTALL_PREFIX:"))
        run("cmake", "--install", BUILD, env=dict(os.environ, DESTDIR=cls.stage))
        cls.prefix = cls.stage + prefix
        cls.installed = {os.path.relpath(os.path.join(here, name), cls.stage)
                         for here, _, names in os.walk(cls.stage) for name in names}

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def path(self, *parts):
        return os.path.join(self.folder.name, *parts)

    def find(self, name):
        (found,) = [path for path in self.installed if path.endswith(name)]
        return os.path.join(self.stage, found)

    def test_the_programs_and_their_files(self):
        for name in ("bin/dunlind", "lib/systemd/system/dunlind.service",
                     "etc/dunlin/dunlind.ini"):
            self.assertTrue(os.path.exists(self.find(name)), name)
        run(self.find("bin/dunlind"), "-c", self.find("dunlind.ini"), "--check-config",
            "--device", "d")

    def test_the_contract_is_where_the_examples_look_for_it(self):
        with open(os.path.join(ROOT, "tools", "examples", "telegraf.conf"),
                  encoding="utf-8") as file:
            (folder,) = re.findall(r'import_paths = \["/usr/(.*)"\]', file.read())
        contract = os.path.dirname(self.find(folder + "/telemetry.proto"))
        run("protoc", "--decode=dunlin.v1.Samples", "telemetry.proto", "-I" + contract,
            stdin=subprocess.DEVNULL)
        with open(self.find(folder + "/telemetry.desc"), "rb") as file:
            kept = descriptor_pb2.FileDescriptorSet.FromString(file.read())
        (contract,) = kept.file
        self.assertIn("Samples", [message.name for message in contract.message_type])

    def test_an_edited_configuration_is_kept(self):
        path = self.find("dunlind.ini")
        with open(path, "w", encoding="ascii") as file:
            file.write("; edited\n")
        run("cmake", "--install", BUILD, env=dict(os.environ, DESTDIR=self.stage))
        with open(path, encoding="ascii") as file:
            self.assertEqual(file.read(), "; edited\n")

    def test_find_package(self):
        run("cmake", "-S", CONSUMER, "-B", self.path("found"), f"-DCMAKE_PREFIX_PATH={self.prefix}")
        run("cmake", "--build", self.path("found"))
        run(self.path("found", "consumer"))
        run(self.path("found", "consumer_node"))

    def test_as_a_folder(self):
        run("cmake", "-S", CONSUMER, "-B", self.path("added"), f"-DDUNLIN_FOLDER={ROOT}")
        run("cmake", "--build", self.path("added"), "--target", "consumer")
        run(self.path("added", "consumer"))

    @unittest.skipUnless(shutil.which("pkg-config"), "pkg-config is not installed")
    def test_pkg_config(self):
        env = dict(os.environ, PKG_CONFIG_PATH=os.path.dirname(self.find("dunlin.pc")))
        flags = run("pkg-config", f"--define-variable=prefix={self.prefix}", "--cflags", "--libs",
                    "dunlin", env=env)
        run("cc", os.path.join(CONSUMER, "consumer.c"), "-o", self.path("consumer"),
            *shlex.split(flags))
        run(self.path("consumer"))


if __name__ == "__main__":
    main()
