"""What the measurements of the MQTT client share: the programs, and a long line to the broker."""
import os
import re
import subprocess
import time

from support.agent import BUILD
from support.children import spawn

TOPIC = "dunlin/bench/d/batch"
PAYLOAD = "0123456789" * 10


class Line:
    """A delay_proxy: each byte takes half of `round_trip_ms`, at most `bytes_s` a second pass."""

    def __init__(self, port, round_trip_ms, bytes_s=0):
        arguments = [port, round(round_trip_ms * 500), bytes_s]
        self.process = spawn([os.path.join(BUILD, "delay_proxy"), *map(str, arguments)],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def program(name):
    return os.path.join(BUILD, f"publish_{name}")


def publish(name, port, count, window, version=4, before=(), seconds=600):
    """Runs publish_NAME; seconds from the first publish to the last ack, and what it said."""
    run = subprocess.run([*before, program(name), *map(str, (port, count, window, version))],
                         capture_output=True, text=True, timeout=seconds, check=False)
    match = re.search(r"^(\d+) ([\d.]+)$", run.stdout, re.M)
    if run.returncode != 0 or not match or int(match.group(1)) != count:
        raise RuntimeError(f"publish_{name}: {run.stdout}{run.stderr}")
    return float(match.group(2)), run.stderr


def mosquitto_pub(port, count, window, seconds=600):
    """The seconds that `mosquitto_pub -l -q 1` takes for its messages behind the first."""
    def run(lines):
        start = time.monotonic()
        subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(port), "-t", TOPIC, "-l",
                        "-q", "1", "-M", str(window), "-i", "bench-pub"], check=True,
                       input=(PAYLOAD + "\n") * lines, text=True, timeout=seconds)
        return time.monotonic() - start
    alone = run(1)
    return run(count + 1) - alone
