"""The component beside the native agent: size, CPU seconds, memory, start to first publish.

CPU seconds are user and system time of the whole process for the same samples, batched, encoded and
logged; the least of several runs, taken in turn. The component is compiled ahead of time, as
`wasmtime compile` does; a start without that is a line of its own.
"""
import argparse
import os
import resource
import subprocess
import tempfile
import time

from measure import resident_kib, table
from support.agent import BUILD, Agent
from support.broker import Broker
from support.receiver import Receiver
from support.waiting import wait_for

ROOT = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..")
WASI = os.environ.get("DUNLIN_WASI_BUILD", os.path.join(ROOT, "build", "wasi"))
WASMTIME = os.path.join(ROOT, "build", "deps", "wasi", "bin", "wasmtime")


def wasm(name):
    return os.path.join(WASI, name)


def cpu_seconds(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def encoded(samples, runs, compiled):
    ways = (("native", [os.path.join(BUILD, "samples")]),
            ("wasmtime", [WASMTIME, "run", "--allow-precompiled", compiled]))
    least = {}
    for _ in range(runs):
        for name, command in ways:
            spent = cpu_seconds([*command, "dunlin", str(samples)])
            least[name] = min(spent, least.get(name, spent))
    table(f"CPU seconds for {samples:,} samples, least of {runs}", ["", "s", "ratio"],
          [[name, least[name], least[name] / least["native"]] for name, _ in ways])


class Host(Agent):
    """The daemon with all the sensors of the machine, started by this command."""

    def __init__(self, port, command):
        super().__init__(port, sensors=0, settings={"sensors": {"interval": "1s"}})
        self.command = command
        for key in list(self.settings["sensors"]):
            if key != "interval":
                del self.settings["sensors"][key]

    def start(self):
        self.write_config()
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen([*self.command(self.folder), "-c", self.config],
                                            stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        return self


def life(name, command):
    """[name, ms to the first batch at the far end, KiB resident after 5 s]"""
    with Broker() as broker, Receiver(broker.start().port) as receiver, \
            Host(broker.port, command) as agent:
        start = time.monotonic()
        agent.start()
        wait_for(lambda: receiver.records.count() > 0, agent.log)
        first = (time.monotonic() - start) * 1000
        wait_for(lambda: time.monotonic() - start > 5, "5 s")
        return [name, int(first), resident_kib(agent.process.pid)[0]]


def sandboxed(*words):
    return lambda folder: [WASMTIME, "run", "-S", "inherit-network,allow-ip-name-lookup", "--dir",
                           folder, "--dir", "/proc", "--dir", "/sys", *words]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=1000000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    if not os.path.exists(wasm("samples.wasm")) or not os.path.exists(WASMTIME):
        print("bench wasi: first tools/setup --wasi, cmake --preset wasi, "
              "cmake --build --preset wasi")
        return 1
    table("Size, stripped and optimised", ["", "bytes"],
          [["dunlind.wasm, without TLS", os.path.getsize(wasm("dunlind.wasm"))],
           ["dunlind-tls.wasm", os.path.getsize(wasm("dunlind-tls.wasm"))]])
    with tempfile.TemporaryDirectory() as folder:
        compiled = os.path.join(folder, "samples.cwasm")
        subprocess.run([WASMTIME, "compile", wasm("samples.wasm"), "-o", compiled], check=True)
        encoded(arguments.samples, arguments.runs, compiled)
    ahead = sandboxed("--allow-precompiled", wasm("dunlind.cwasm"))
    tls = sandboxed("--allow-precompiled", wasm("dunlind-tls.cwasm"))
    table("All sensors each second, a batch each 100 ms",
          ["", "first batch after, ms", "resident, KiB"],
          [life("native", lambda _folder: [os.path.join(BUILD, "dunlind")]),
           life("wasmtime, compiled ahead", ahead),
           life("the same with TLS built in", tls),
           life("wasmtime, compiled at start", sandboxed(wasm("dunlind.wasm")))])
    return 0
