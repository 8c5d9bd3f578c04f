"""dunlind under test: its configuration, its files, its life and its death.

Each agent has a folder of its own with a state folder, a configuration file and file sensors whose
numbers the test writes. The intervals are short, so that a few seconds hold the records of an hour.
"""
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile

from .children import spawn
from .waiting import DEADLINE_S, wait_for

BUILD = os.environ.get("DUNLIN_BUILD", os.path.join(
    os.path.dirname(os.path.realpath(__file__)), "..", "..", "..", "build", "linux"))
BUILT_IN = ("memory", "load", "cpu", "filesystem", "disk", "network", "uptime", "temperature",
            "process", "self")


# Which daemon the tests are about: DUNLIN_DAEMON=dunlind-gateway is the one with Paho.
DAEMON = os.environ.get("DUNLIN_DAEMON", "dunlind")
# The agent is a WASI component when there is a runtime to run it: `wasmtime`, or node with jco.
WASI_HOST = shlex.split(os.environ.get("DUNLIN_WASI_HOST", ""))
COMPONENT = os.environ.get("DUNLIN_COMPONENT", "dunlind.cwasm")


def program(name):
    return os.path.join(BUILD, name)


def command(folder):
    """How the daemon is started, whose files are all in `folder` or with those of the test."""
    if not WASI_HOST:
        return [program(DAEMON)]
    folders = [name for name in (folder, tempfile.gettempdir(), "/etc/ssl/certs")
               if os.path.isdir(name)]
    return [*WASI_HOST, "run", "--allow-precompiled", "-S",
            "inherit-network,allow-ip-name-lookup", "--env", "CREDENTIALS_DIRECTORY",
            *[word for name in folders for word in ("--dir", name)], program(COMPONENT)]


def exit_code(code):
    """What the daemon's exit code becomes: WASI 0.2 has two of them."""
    return min(code, 1) if WASI_HOST else code


STARTED = 'msg="started"'


class Agent:
    def __init__(self, port, device="bird-1", fleet="test", sensors=16, settings=None, env=None):
        self.folder = tempfile.mkdtemp(prefix="dunlin-agent-")
        self.state = os.path.join(self.folder, "state")
        self.device, self.fleet, self.port = device, fleet, port
        self.env = dict(os.environ, **(env or {}))
        self.process = None
        self.starts = 0
        self.lives = 0  # told of by its log before this one
        self.settings = {
            "agent": {"device": device, "fleet": fleet, "state": self.state, "drain": "30s"},
            "broker": {"host": "127.0.0.1", "port": port, "reconnect_min": "5ms",
                       "reconnect_max": "40ms"},
            "log": {},
            "batch": {"points": 2, "age": "100ms"},
            "sensors": {"interval": "100ms", **{name: "off" for name in BUILT_IN}},
        }
        for section, keys in (settings or {}).items():
            self.settings.setdefault(section, {}).update(keys)
        os.mkdir(self.state)
        for index in range(sensors):
            self.add_file_sensor(index)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def add_file_sensor(self, index):
        path = self.sensor_path(index)
        with open(path, "w", encoding="ascii") as stream:
            stream.write(f"{1000 + index}\n")
        # Different intervals: sensors that are due together would share one record.
        self.settings[f"file s{index}"] = {"path": path, "name": f"test.sensor.{index}",
                                           "unit": "1", "interval": f"{100 + 7 * index}ms"}

    def sensor_path(self, index):
        return os.path.join(self.folder, f"sensor-{index}")

    @property
    def config(self):
        return os.path.join(self.folder, "dunlin.conf")

    def write_config(self):
        with open(self.config, "w", encoding="utf-8") as stream:
            for section, keys in self.settings.items():
                stream.write(f"[{section}]\n")
                stream.writelines(f"{key} = {value}\n" for key, value in keys.items())

    def start(self):
        assert self.process is None
        self.write_config()
        self.starts += 1
        self.lives = self.log().count(STARTED)
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = spawn([*command(self.folder), "-c", self.config], stdout=log,
                                 stderr=log, stdin=subprocess.DEVNULL, env=self.env)
        return self

    def log(self):
        try:
            with open(os.path.join(self.folder, "log"), encoding="utf-8",
                      errors="replace") as stream:
                return stream.read()
        except FileNotFoundError:
            return ""

    def last_number(self, key):
        """The newest `key=NUMBER` in the agent's log, or None."""
        found = re.findall(rf"\b{key}=(\d+)", self.log())
        return int(found[-1]) if found else None

    def wait_log(self, words):
        wait_for(lambda: words in self.log() or self._must_live(),
                 lambda: f"{words!r} in the agent's log:\n{self.log()}")

    def _must_live(self):
        if self.process is not None and self.process.poll() is not None:
            raise AssertionError(f"the agent ended with {self.process.returncode}:\n{self.log()}")
        return False

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """SIGKILL: no drain, no goodbye."""
        self._signal(signal.SIGKILL)

    def terminate(self):
        """SIGTERM, or the file that stands for it: drains and says goodbye. Returns the exit code.
        """
        if WASI_HOST and self.process is not None:
            # A stop that was there before the start is one of an earlier life.
            wait_for(lambda: self.log().count(STARTED) > self.lives or self._must_live(), self.log)
            with open(os.path.join(self.state, "stop"), "wb"):
                return self._signal(0)
        return self._signal(signal.SIGTERM)

    def _signal(self, how):
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            code = self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the agent did not end:\n{self.log()}") from None
        finally:
            self.process = None
        return code


def finish(test, agent, records):
    """Ends the agent with a drain and proves that the newest record came too.

    `records` is a Records that sees what was delivered. The next life of the agent begins with the
    sequence after the last one it recorded, so a hole at the end shows as well.
    """
    test.assertEqual(agent.terminate(), 0, agent.log())
    opened = agent.log().count("next_sequence=")
    agent.start()
    wait_for(lambda: agent.log().count("next_sequence=") > opened or agent._must_live(), agent.log)
    sequence = agent.last_number("next_sequence")
    wait_for(lambda: (records.count() and records.newest() >= sequence) or agent._must_live(),
             lambda: f"record {sequence}, the first after the restart:\n{agent.log()}")
    # It may have overtaken a backlog, and an end without a connection does not drain.
    def complete():
        newest = records.newest()
        if any(map(records.missing, records.streams())):
            return agent._must_live()
        records.until = newest
        return True

    wait_for(complete,
             lambda: f"{[records.missing(stream) for stream in records.streams()]}:\n{agent.log()}")
    test.assertEqual(agent.terminate(), 0, agent.log())
    return records
