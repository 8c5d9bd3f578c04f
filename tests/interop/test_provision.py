#!/usr/bin/python3
"""`dunlin provision` as a fleet's owner uses it: what it writes is run by a real Mosquitto and real
agents, over TLS; who may do what; rotation, revocation, interruption, misuse."""
import json
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import unittest

from support.agent import program
from support.broker import mosquitto_path
from support.children import spawn
from support.waiting import can_connect, free_port, main, wait_for

ROOT = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..")
FLEET = "plant-7"


def provision(*arguments, stdin=""):
    return subprocess.run([program("dunlin"), "provision", *arguments], input=stdin.encode(),
                          capture_output=True, timeout=60, check=False)


def contents(folder):
    found = {}
    for path, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(path, name), "rb") as stream:
                found[os.path.join(path, name)] = stream.read()
    return found


class Fleet:
    """A provisioned folder and, when started, its broker."""

    def __init__(self, test, *arguments):
        self.test = test
        self.top = tempfile.mkdtemp(prefix="dunlin-provision-")
        test.addCleanup(shutil.rmtree, self.top, ignore_errors=True)
        self.folder = os.path.join(self.top, "fleet")
        self.port = free_port()
        self.process = None
        self.make("--host", "127.0.0.1", "--listen", "127.0.0.1", "--fleet", FLEET, "--port",
                  str(self.port), "--broker-folder", self.path("broker"), "--device-folder",
                  os.path.join(self.top, "etc"), *arguments)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def run(self, *arguments, stdin=""):
        done = provision(*arguments, stdin=stdin)
        self.test.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def make(self, *arguments, stdin=""):
        return self.run(*arguments[:-1] if arguments[-1:] == ("-",) else arguments, self.folder,
                        *(("-",) if arguments[-1:] == ("-",) else ()), stdin=stdin)

    def add(self, *names, role="device"):
        return self.run("--role", role, self.folder, *names)

    def start(self):
        """The configuration as it was written; only a root that may not change is a test's."""
        config = os.path.join(self.top, "mosquitto.conf")
        with open(self.path("broker", "mosquitto.conf"), encoding="ascii") as stream:
            text = stream.read()
        with open(config, "w", encoding="ascii") as stream:
            stream.write(text + ("user root\n" if os.geteuid() == 0 else ""))
        log = os.path.join(self.top, "log")
        with open(log, "ab") as stream:
            self.process = spawn([mosquitto_path(), "-v", "-c", config], stdout=stream,
                                 stderr=stream)
        self.test.addCleanup(self.stop)
        wait_for(lambda: can_connect(self.port) or self.process.poll() is not None, "the broker")
        self.test.assertIsNone(self.process.poll(), self.log())

    def log(self):
        with open(os.path.join(self.top, "log"), encoding="utf-8", errors="replace") as stream:
            return stream.read()

    def reload(self):
        """SIGHUP, and what it says when the files are read."""
        before = self.log().count("Reloading config")
        self.process.send_signal(signal.SIGHUP)
        wait_for(lambda: self.log().count("Reloading config") > before, "the broker reloads")

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def mosquitto(self, kind, name, folder="users"):
        """Arguments of mosquitto_pub or _sub for a member."""
        where = self.path(folder, name)
        base = [f"mosquitto_{kind}", "-h", "127.0.0.1", "-p", str(self.port), "-i",
                f"{kind}-{name}", "--cafile", os.path.join(where, "ca.pem"), "-q", "1", "-V", "5"]
        if os.path.exists(os.path.join(where, "device.pem")):
            return base + ["--cert", os.path.join(where, "device.pem"), "--key",
                           os.path.join(where, "device.key")]
        with open(os.path.join(where, "mqtt-password"), encoding="ascii") as stream:
            return base + ["-u", name, "-P", stream.read().strip()]

    def publish(self, name, topic, payload, folder="devices"):
        return subprocess.run([*self.mosquitto("pub", name, folder), "-t", topic, "-m", payload],
                              capture_output=True, timeout=60, check=False)

    def connects(self, name, folder="devices"):
        done = self.publish(name, f"dunlin/{FLEET}/{name}/status", "online", folder)
        return done.returncode == 0

    def deploy(self, name):
        """What a person copies to the device."""
        shutil.rmtree(os.path.join(self.top, "etc"), ignore_errors=True)
        shutil.copytree(self.path("devices", name), os.path.join(self.top, "etc"))
        return os.path.join(self.top, "etc", "dunlind.ini")

    def deliver(self, name):
        """An agent with the files of the device as they are: its samples reach a reader."""
        state = os.path.join(self.top, "state-" + name)
        os.makedirs(state, exist_ok=True)
        with open(os.path.join(self.top, "agent.log"), "ab") as log:
            agent = spawn([program("dunlind"), "-c", self.deploy(name), "--state", state,
                           "--batch-age", "100ms"], stdout=log, stderr=log)
        try:
            done = subprocess.run([*self.mosquitto("sub", "dash"), "-t", f"dunlin/{FLEET}/+/batch",
                                   "-C", "1", "-F", "%t"], capture_output=True, timeout=60,
                                  check=False)
        finally:
            agent.terminate()
            agent.wait()
        return done.stdout.decode().split()


class Provision(unittest.TestCase):
    def test_what_is_written_runs(self):
        for credentials in ("password", "certificate"):
            with self.subTest(credentials):
                fleet = Fleet(self, "--credentials", credentials)
                fleet.add("pump-1")
                fleet.add("dash", role="reader")
                fleet.start()
                self.assertEqual(fleet.deliver("pump-1"), [f"dunlin/{FLEET}/pump-1/batch"])
                fleet.stop()

    def test_each_does_only_what_its_role_says(self):
        fleet = Fleet(self)
        fleet.add("pump-1", "pump-2")
        for name, role in (("dash", "reader"), ("rec", "recorder"), ("op", "operator")):
            fleet.add(name, role=role)
        fleet.start()
        base = f"dunlin/{FLEET}"
        allowed = [("pump-1", "devices", f"{base}/pump-1/{channel}") for channel in
                   ("batch", "samples", "status", "about", "catalog", "config/reported")]
        allowed += [("rec", "users", f"{base}/pump-1/stored"),
                    ("op", "users", f"{base}/pump-2/config")]
        denied = [("pump-1", "devices", f"{base}/pump-2/batch"), ("pump-1", "devices", f"{base}/x"),
                  ("pump-1", "devices", "dunlin/other/pump-1/batch"),
                  ("pump-1", "devices", f"{base}/pump-1/stored"),
                  ("pump-1", "devices", f"{base}/pump-1/config"),
                  ("dash", "users", f"{base}/pump-1/config"),
                  ("dash", "users", f"{base}/pump-1/batch"),
                  ("rec", "users", f"{base}/pump-1/config"),
                  ("op", "users", f"{base}/pump-1/stored")]
        listener = spawn([*fleet.mosquitto("sub", "dash"), "-t", "#", "-F", "%t %p"],
                         stdout=subprocess.PIPE)
        self.addCleanup(listener.stdout.close)
        try:
            wait_for(lambda: "Received SUBSCRIBE" in fleet.log(), "the reader subscribes")
            for index, (name, folder, topic) in enumerate(denied):
                fleet.publish(name, topic, f"denied-{index}", folder)
            for index, (name, folder, topic) in enumerate(allowed):
                fleet.publish(name, topic, f"allowed-{index}", folder)
            seen = [listener.stdout.readline().decode().split() for _ in allowed]
        finally:
            listener.kill()
            listener.wait()
        self.assertEqual(seen, [[topic, f"allowed-{index}"]
                                for index, (_, _, topic) in enumerate(allowed)])

    def test_rotation_and_revocation_by_password(self):
        fleet = Fleet(self)
        fleet.add("pump-1", "pump-2")
        fleet.start()
        old = contents(fleet.path("devices", "pump-1"))
        self.assertTrue(fleet.connects("pump-1") and fleet.connects("pump-2"))
        self.assertEqual(fleet.run("rotate", fleet.folder, "pump-1"),
                         [{"type": "rotated", "name": "pump-1"}])
        new = contents(fleet.path("devices", "pump-1"))
        changed = [os.path.basename(path) for path in new if new[path] != old[path]]
        self.assertEqual(changed, ["mqtt-password"])
        self.assertFalse(fleet.connects("pump-1"), "before the broker knows")
        fleet.reload()
        self.assertTrue(fleet.connects("pump-1") and fleet.connects("pump-2"))
        keep = fleet.deploy("pump-2")
        fleet.run("revoke", fleet.folder, "pump-2")
        self.assertFalse(os.path.exists(fleet.path("devices", "pump-2")))
        fleet.reload()
        os.makedirs(fleet.path("devices", "pump-2"))
        for name in os.listdir(os.path.dirname(keep)):
            shutil.copy(os.path.join(os.path.dirname(keep), name), fleet.path("devices", "pump-2"))
        self.assertFalse(fleet.connects("pump-2"))
        self.assertTrue(fleet.connects("pump-1"))

    def test_rotation_and_revocation_by_certificate(self):
        fleet = Fleet(self, "--credentials", "certificate")
        fleet.add("pump-1", "pump-2", "pump-3")
        saved = os.path.join(fleet.top, "saved")
        shutil.copytree(fleet.path("devices"), saved)
        fleet.run("rotate", fleet.folder, "pump-1")
        fleet.run("revoke", fleet.folder, "pump-2")
        shutil.copytree(os.path.join(saved, "pump-2"), fleet.path("devices", "pump-2"))
        fleet.start()
        self.assertTrue(fleet.connects("pump-1") and fleet.connects("pump-3"))
        self.assertFalse(fleet.connects("pump-2"), "revoked")
        self.assertIn("certificate verify failed", fleet.log())
        shutil.copytree(os.path.join(saved, "pump-1"), fleet.path("devices", "pump-1"),
                        dirs_exist_ok=True)
        self.assertFalse(fleet.connects("pump-1"), "with what it had before the rotation")

    def test_again_changes_nothing_and_mends_what_is_missing(self):
        for credentials in ("password", "certificate"):
            with self.subTest(credentials):
                fleet = Fleet(self, "--credentials", credentials)
                fleet.add("a", "b")
                fleet.add("dash", role="reader")
                before = contents(fleet.folder)
                self.assertEqual([x["new"] for x in fleet.add("a", "b")], [False, False])
                self.assertEqual(contents(fleet.folder), before)
                lost = ["mosquitto.conf", "acl", "ca.pem"]
                for name in lost:
                    os.unlink(fleet.path("broker", name))
                os.unlink(fleet.path("devices", "a", "ca.pem"))
                fleet.add("a")
                self.assertEqual(contents(fleet.folder), before)

    def test_killed_at_any_moment_it_goes_on(self):
        fleet = Fleet(self)
        names = [f"pump-{index}" for index in range(40)]
        for count in (1, 7, 25):
            child = spawn([program("dunlin"), "provision", fleet.folder, "-"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            child.stdin.write(("\n".join(names) + "\n").encode())
            child.stdin.close()
            wait_for(lambda c=count: len(os.listdir(fleet.path("devices"))) >= c, "members")
            child.kill()
            child.stdout.close()
            child.wait()
        made = fleet.make("-", stdin="# all of them\n" + "\n".join(names) + "\n\n")
        self.assertEqual([x["name"] for x in made], names)
        with open(fleet.path("broker", "passwords"), encoding="ascii") as stream:
            self.assertEqual([line.split(":")[0] for line in stream], sorted(names))
        for path in contents(fleet.folder):
            self.assertFalse(path.endswith(".new"), path)
        fleet.start()
        self.assertTrue(fleet.connects("pump-39"))

    def test_without_an_address_it_listens_on_all(self):
        with tempfile.TemporaryDirectory() as top:
            done = provision("--host", "h", "--plain-port", "1883", os.path.join(top, "fleet"))
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(os.path.join(top, "fleet", "broker", "mosquitto.conf"),
                      encoding="ascii") as stream:
                lines = stream.read().split("\n")
        self.assertEqual([line for line in lines if line.startswith("listener")],
                         ["listener 8883", "listener 1883"])

    def test_secrets_are_the_owners_and_are_never_printed(self):
        fleet = Fleet(self, "--plain-port", str(free_port()))
        done = provision(fleet.folder, "pump-1")
        files = contents(fleet.folder)
        password = files[fleet.path("devices", "pump-1", "mqtt-password")].strip()
        self.assertGreaterEqual(len(password), 32)
        self.assertNotIn(password, done.stdout + done.stderr)
        for path, data in files.items():
            if password in data or b"PRIVATE KEY" in data or b"$7$" in data:
                self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600, path)
        self.assertIn(password, files[fleet.path("devices", "pump-1", "card.block")])

    def test_a_block_is_written_to_a_card(self):
        fleet = Fleet(self, "--plain-port", "1883")
        fleet.add("fw-1")
        block = fleet.path("devices", "fw-1", "card.block")
        card = os.path.join(fleet.top, "card.img")
        command = [os.path.join(ROOT, "tools", "make_card"), "--size", "1", "--block", block, card]
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"fw-1 of fleet {FLEET}, broker 127.0.0.1:1883", done.stdout.decode())
        with open(block, "r+b") as stream, open(card, "rb") as image:
            self.assertEqual(stream.read(), image.read(2048))
            stream.seek(20)
            stream.write(b"x")
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("damaged", done.stderr.decode())


class Misuse(unittest.TestCase):
    def refused(self, code, words, *arguments, stdin=""):
        done = provision(*arguments, stdin=stdin)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertRegex(done.stderr.decode(), words)

    def test_arguments(self):
        fleet = Fleet(self)
        new = os.path.join(fleet.top, "new")
        self.refused(2, "folder of the fleet is needed")
        self.refused(2, "new fleet: --host", new, "a")
        self.refused(2, "'a/b' is no name", "--host", "h", new, "a/b")
        self.refused(2, "'..' is no name", "--host", "h", new, "..")
        self.refused(2, "--port '0'", "--host", "h", "--port", "0", new)
        self.refused(2, "--host 'h x'", "--host", "h x", new)
        self.refused(2, "--fleet 'a#'", "--host", "h", "--fleet", "a#", new)
        self.refused(2, "nothing without TLS", "--host", "h", "--plain-port", "1883",
                     "--credentials", "certificate", new)
        self.refused(2, "holds no fleet", "revoke", new, "a")
        self.refused(2, "name is needed", "rotate", fleet.folder)
        self.refused(2, "--role 'king'", "--role", "king", fleet.folder, "a")
        self.refused(2, r"--host elsewhere is not what .*fleet.ini says", "--host", "elsewhere",
                     fleet.folder, "a")
        self.assertFalse(os.path.exists(new))

    def test_members(self):
        fleet = Fleet(self)
        fleet.add("a")
        self.refused(1, "'b' is no device or user", "rotate", fleet.folder, "b")
        self.refused(1, "'a' is a device of this fleet already", "--role", "reader", fleet.folder,
                     "a")
        self.refused(1, "'x y' is no name|'x!' is no name", fleet.folder, "-", stdin="x!\n")

    def test_folders(self):
        fleet = Fleet(self)
        os.rename(fleet.path("ca", "ca.key"), fleet.path("ca", "away"))
        self.refused(1, "put the key back", fleet.folder, "a")
        os.rename(fleet.path("ca", "away"), fleet.path("ca", "ca.key"))
        with open(fleet.path("fleet.ini"), "a", encoding="ascii") as stream:
            stream.write("port = many\n")
        self.refused(1, r"port = many", fleet.folder, "a")
        self.refused(1, "Not a directory|No such file", "--host", "h",
                     os.path.join(fleet.path("fleet.ini"), "x"))

    def test_help(self):
        done = provision("--help")
        self.assertEqual(done.returncode, 0)
        self.assertIn("--credentials", done.stdout.decode())


if __name__ == "__main__":
    main()
