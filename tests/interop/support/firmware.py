"""The firmware under test: QEMU's lm3s6965evb with a card of its own and one way to the broker.

Each connection of the guest is handed to a process of its own, so it may connect as often as it
likes. The monitor takes the network cable away, sets the thermometer and looks at the LED; the UART
is a pipe. A neighbour, if there is one, sits on the same wire.
"""
import os
import shutil
import socket
import subprocess
import tempfile

from .agent import program
from .children import spawn
from .waiting import wait_for

TOOLS = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "..", "tools")
IMAGE = program(os.path.join("firmware", "dunlin-lm3s6965evb.elf"))
IMAGE_IN_RAM = program(os.path.join("firmware", "dunlin-lm3s6965evb-ram.elf"))
SMALL = program(os.path.join("firmware", "dunlin-lm3s6965evb-small.elf"))
IDENTITY_ADDRESS = 0x3F800
LED_ADDRESS = 0x40025004
BROKER_OF_GUEST = "10.0.2.100"


def missing():
    """Why the firmware cannot be run here, or None."""
    for command in ("qemu-system-arm", "socat"):
        if not shutil.which(command):
            return f"{command} is not installed"
    return None if os.path.exists(IMAGE) else "the firmware was not built: no arm-none-eabi-gcc"


class Firmware:
    def __init__(self, port, device="fw-1", provisioned=True, card=True, in_ram=False,
                 neighbour=None, thermometer=False, image=IMAGE, **values):
        """`in_ram`: the image without a card, its identity in flash. `port` None: no way out."""
        self.folder = tempfile.mkdtemp(prefix="dunlin-firmware-")
        self.in_ram = in_ram
        self.card = os.path.join(self.folder, "card") if card or in_ram else None
        self.port, self.device = port, device
        self.image = IMAGE_IN_RAM if in_ram else image
        self.neighbour, self.thermometer = neighbour, thermometer
        self.process = None
        if self.card:
            self.provision(**values)
        if self.card and not provisioned:
            with open(self.card, "r+b") as stream:
                stream.write(bytes(512))

    def provision(self, interval_ms=200, fleet="test", **values):
        """Writes the card's provisioning block; its log stays."""
        given = {"device": self.device, "fleet": fleet, "host": BROKER_OF_GUEST,
                 "interval-ms": interval_ms, "batch-age-ms": interval_ms,
                 "reconnect-max-ms": 500, **values}
        options = [item for key, value in given.items()
                   for item in ("--" + key.replace("_", "-"), str(value))]
        where = ["--flash"] if self.in_ram else ["--size", "4"]
        subprocess.run([os.path.join(TOOLS, "make_card"), self.card, *where, *options],
                       check=True, stdout=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def monitor(self):
        return os.path.join(self.folder, "monitor")

    def _wires(self):
        """The way to the broker's port, and the neighbour, on the cable of the device."""
        way_out = f"guestfwd=tcp:{BROKER_OF_GUEST}:1883-cmd:socat - TCP4:127.0.0.1:{self.port}"
        broker = f"user,id=broker,restrict=on,{way_out}"
        if not self.neighbour:
            return ["-netdev", broker.replace("id=broker", "id=cable")]
        wires = ["-netdev", "hubport,id=cable,hubid=0", "-netdev", self.neighbour.options(),
                 "-netdev", "hubport,id=one,hubid=0,netdev=neighbour"]
        if self.port is None:
            return wires
        return wires + ["-netdev", broker, "-netdev", "hubport,id=two,hubid=0,netdev=broker"]

    def start(self):
        assert self.process is None
        command = ["qemu-system-arm", "-M", "lm3s6965evb", "-nodefaults", "-display", "none",
                   "-kernel", self.image, "-serial", "stdio",
                   "-monitor", f"unix:{self.monitor},server,nowait",
                   *self._wires(), "-net", "nic,model=stellaris,netdev=cable"]
        if self.in_ram:
            command += ["-device", f"loader,file={self.card},addr={IDENTITY_ADDRESS},force-raw=on"]
        elif self.card:
            command += ["-drive", f"if=sd,format=raw,file={self.card},cache=writethrough"]
        if self.thermometer:
            command += ["-device", "tmp105,address=0x48,id=thermometer"]
        with open(os.path.join(self.folder, "uart"), "ab") as uart:
            self.process = spawn(command, stdin=subprocess.PIPE, stdout=uart, stderr=uart)
        return self

    def log(self):
        try:
            with open(os.path.join(self.folder, "uart"), encoding="ascii",
                      errors="replace") as stream:
                return stream.read()
        except FileNotFoundError:
            return ""

    def wait_log(self, words, count=1):
        wait_for(lambda: self.log().count(words) >= count or self._must_live(),
                 lambda: f"{words!r}, {count} times, on the UART:\n{self.log()}")

    def _must_live(self):
        if self.process is not None and self.process.poll() is not None:
            raise AssertionError(f"QEMU ended with {self.process.returncode}:\n{self.log()}")
        return False

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def press(self, letter):
        """A key on the console of the UART."""
        self.process.stdin.write(letter.encode())
        self.process.stdin.flush()

    def command(self, line):
        """A command of QEMU's monitor."""
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(self.monitor)
            monitor.sendall(line.encode() + b"\n")
            monitor.settimeout(5)
            seen = b""
            while seen.count(b"(qemu)") < 2:
                seen += monitor.recv(4096)
            return seen.decode().rsplit("\n", 2)[-2]

    def unplug(self):
        self.command("set_link cable off")

    def plug(self):
        self.command("set_link cable on")

    def set_temperature(self, millidegrees):
        self.command(f"qom-set /machine/peripheral/thermometer temperature {millidegrees}")

    def led(self):
        """True if the status LED is on."""
        return int(self.command(f"xp /1wx {LED_ADDRESS:#x}").split(":")[1], 16) != 0

    def kill(self):
        """SIGKILL of QEMU: the power is gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process = None
