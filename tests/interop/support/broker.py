"""A real Mosquitto on a free loopback port, which can be killed and started again on that port.

Persistence is off: a killed broker forgets its sessions and retained messages. What a killed
broker acknowledged and then forgot is no loss of the device; README.md tells how the tests keep
the two apart.
"""
import os
import shutil
import signal
import tempfile

from .children import spawn
from .waiting import can_connect, free_port, wait_for


def mosquitto_path():
    return shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


class Broker:
    def __init__(self, extra="", persistent=False):
        self.folder = tempfile.mkdtemp(prefix="dunlin-broker-")
        self.extra = extra
        self.persistent = persistent  # sessions survive stop(), not kill()
        self.process = None
        self.port = free_port()
        self.settled = False  # it had this port once

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _write_config(self):
        path = os.path.join(self.folder, "mosquitto.conf")
        lines = [f"listener {self.port} 127.0.0.1", "allow_anonymous true",
                 f"persistence {str(self.persistent).lower()}",
                 f"persistence_location {self.folder}/", "max_queued_messages 0",
                 "max_inflight_messages 0", "log_type error", "log_type warning"]
        if os.geteuid() == 0:
            lines.append("user root")
        with open(path, "w", encoding="ascii") as stream:
            stream.write("\n".join(lines) + "\n" + self.extra)
        return path

    def start(self):
        """Starts it and returns when it takes connections. Same port each time."""
        assert self.process is None
        for _ in range(20):
            with open(os.path.join(self.folder, "log"), "ab") as log:
                self.process = spawn([mosquitto_path(), "-c", self._write_config()], stdout=log,
                                     stderr=log)
            wait_for(lambda: can_connect(self.port) or self.process.poll() is not None,
                     "mosquitto does not listen")
            if self.process.poll() is None:
                self.settled = True
                return self
            if not self.settled:
                self.port = free_port()  # somebody took it between the look and the start
        raise AssertionError("mosquitto does not start: " + self.log())

    def log(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as stream:
            return stream.read()

    def kill(self):
        """SIGKILL, as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self):
        self._end(signal.SIGTERM)

    def _end(self, how):
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait()
            self.process = None

    def close(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
