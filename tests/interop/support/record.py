"""`dunlin record` and `dunlin audit` under test, and the databases that they share."""
import contextlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import tempfile

import paho.mqtt.client as mqtt

from .agent import program
from .children import spawn
from .postgres import Postgres, folder_of_programs
from .waiting import DEADLINE_S, wait_for


class Sqlite:
    """A database file in a folder of its own, asked by Python's own SQLite."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="dunlin-sqlite-")
        self.url = os.path.join(self.folder, "fleet.db")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def connect(self):
        return sqlite3.connect(self.url, timeout=10)

    @contextlib.contextmanager
    def locked(self):
        """Nobody else can write while this lasts."""
        with contextlib.closing(self.connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.rollback()

    def query(self, sql):
        """The rows, as lists of text; null is empty."""
        connection = self.connect()
        try:
            return [["" if cell is None else str(cell) for cell in row]
                    for row in connection.execute(sql)]
        finally:
            connection.close()


def databases():
    """The back ends that can be had here."""
    yield "sqlite", Sqlite
    if folder_of_programs():
        yield "postgres", Postgres
    else:
        print("SKIPPED PostgreSQL: there is no server here", flush=True)


def count(database, what="record"):
    try:
        return int(database.query(f"SELECT count(*) FROM {what}")[0][0])
    except (sqlite3.OperationalError, subprocess.CalledProcessError):
        return 0  # not made yet, or the server is away


class Record:
    """A running `dunlin record`."""

    def __init__(self, port, url, *arguments, client_id="recorder", wrapper=()):
        self.folder = tempfile.mkdtemp(prefix="dunlin-record-")
        self.command = [*wrapper, program("dunlin"), "record", "-v",
                        "-L", f"mqtt://127.0.0.1:{port}", "--db", url, "-i", client_id, *arguments]
        self.process = None
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, wait=True):
        before = self.log().count("subscribed")
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = spawn(self.command, stdout=log, stderr=log)
        if wait:
            self.wait_log("subscribed", before + 1)
        return self

    def log(self):
        try:
            with open(os.path.join(self.folder, "log"), encoding="utf-8",
                      errors="replace") as stream:
                return stream.read()
        except FileNotFoundError:
            return ""

    def wait_log(self, words, times=1):
        wait_for(lambda: self.log().count(words) >= times or self.process.poll() is not None,
                 lambda: f"{words!r} in the recorder's log:\n{self.log()}")
        assert self.log().count(words) >= times, self.log()

    def kill(self):
        self._end(signal.SIGKILL)

    def terminate(self):
        """SIGTERM: (exit code, what it said)."""
        return self._end(signal.SIGTERM), self.log()

    def _end(self, how):
        if self.process is None:
            return None
        self.process.send_signal(how)
        code = self.process.wait(DEADLINE_S)
        self.process = None
        return code

    def stored(self):
        """How many records it says that it stored, at its end."""
        return int(re.findall(r"stored (\d+) records", self.log())[-1])


class Publisher:
    """A device's MQTT side."""

    def __init__(self, port):
        self.client = mqtt.Client()
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.disconnect()
        self.client.loop_stop()

    def send(self, channel, message, device="golden", retain=False):
        data = message if isinstance(message, bytes) else message.SerializeToString()
        info = self.client.publish(f"dunlin/f/{device}/{channel}", data, qos=1, retain=retain)
        info.wait_for_publish(DEADLINE_S)
        assert info.is_published()


def audit(*arguments, stdin=None):
    """(exit code, by device, verdict, errors)"""
    run = subprocess.run([program("dunlin"), "audit", "--format", "json", *arguments], text=True,
                         input=stdin, capture_output=True, timeout=DEADLINE_S, check=False)
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    streams = {line["device"]: line for line in lines if line["type"] == "audit"}
    return run.returncode, streams, lines[-1] if lines else None, run.stderr
