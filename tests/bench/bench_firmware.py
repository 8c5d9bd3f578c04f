"""The firmware of the lm3s6965evb: flash and static RAM by module, stack, instructions.

Flash and RAM come from the linker's map. The stack is the painted one of the running image, read
out of QEMU after it has published, been without a broker, and caught up. Instructions are counted
by QEMU's -icount, which is deterministic: see firmware_cost.c.
"""
import argparse
import os
import re
import subprocess
import tempfile

from linker_map import CLIENT, Image
from measure import table
from support import firmware
from support.broker import Broker
from support.children import spawn
from support.firmware import Firmware
from support.receiver import Receiver
from support.waiting import wait_for

FOLDER = os.path.dirname(firmware.IMAGE)
SIZES = os.path.join(FOLDER, "CMakeFiles", "firmware_sizes.dir", "tests", "bench",
                     "firmware_sizes.c.obj")
IMAGES = ("dunlin-lm3s6965evb", "dunlin-lm3s6965evb-small")
ORDER = (*CLIENT, "sntp", "remote", "libc", "lwip", "board", "fill", "stack")
AIMS = {"dunlin-lm3s6965evb": 18.9, "dunlin-lm3s6965evb-small": 10}
PAINT = bytes([0xA5])


def image(name):
    return Image(os.path.join(FOLDER, f"{name}.map"))


def symbols(path):
    """{name: (address, size)} of an object or image."""
    lines = subprocess.run(["arm-none-eabi-nm", "-S", path], capture_output=True, text=True,
                           check=True).stdout.splitlines()
    found = [line.split() for line in lines]
    return {words[-1]: (int(words[0], 16), int(words[1], 16) if len(words) == 4 else 0)
            for words in found if len(words) > 2}


def show_modules():
    for name in IMAGES:
        linked = image(name)
        rows = [[module, linked.flash[module], linked.ram[module]] for module in ORDER
                if linked.flash[module] or linked.ram[module]]
        rows.append(["the client", linked.client(), ""])
        rows.append(["the image", sum(linked.flash.values()), sum(linked.ram.values())])
        table(f"{name}.map: bytes", ["module", "flash", "static RAM"], rows)
        kib = linked.client() / 1024
        print(f"the client without lwIP, libc and the board: {kib:.1f} KiB; aim {AIMS[name]}")


def client_ram():
    """({struct: bytes}, bytes of the buffers that profile.h sizes)."""
    sizes = {name: size for name, (_, size) in symbols(SIZES).items()}
    whole = sizes.pop("dun_node")
    return sizes, whole - sum(sizes.values())


def show_ram():
    sizes, buffers = client_ram()
    rows = [[f"struct {name}", size] for name, size in sizes.items()]
    rows += [["the client", sum(sizes.values())], ["buffers that profile.h sizes", buffers]]
    table("Static RAM of the client: sizeof on the Cortex-M3", ["", "bytes"], rows)


def stack_of(device, name):
    """(deepest use, size) of the painted stack of a running device."""
    known = symbols(os.path.join(FOLDER, f"{name}.elf"))
    bottom, top = known["stack_bottom"][0], known["stack_top"][0]
    path = os.path.join(device.folder, "stack")
    device.command(f"pmemsave {bottom:#x} {top - bottom} \"{path}\"")
    with open(path, "rb") as stream:
        stack = stream.read()
    return len(stack.lstrip(PAINT)), len(stack)


def show_stack():
    rows = []
    for name in IMAGES:
        with Broker() as broker:
            broker.start()
            with Receiver(broker.port) as receiver, Firmware(
                    broker.port, image=os.path.join(FOLDER, f"{name}.elf")) as device:
                device.start()
                wait_for(lambda: receiver.records.count() > 20, "records")
                broker.kill()
                device.wait_log("disconnected")
                before = receiver.records.count()
                broker.start()
                wait_for(lambda: receiver.records.count() > before + 20, "records again")
                rows.append([name, *stack_of(device, name)])
    table("Stack, painted: bytes", ["image", "deepest", "there are"], rows)


def count(name):
    """[(word, number)] of what the image says on its UART."""
    with tempfile.TemporaryFile() as uart:
        process = spawn(["qemu-system-arm", "-M", "lm3s6965evb", "-nodefaults", "-display", "none",
                         "-icount", "shift=5", "-serial", "stdio",
                         "-kernel", os.path.join(FOLDER, f"{name}.elf")],
                        stdin=subprocess.DEVNULL, stdout=uart, stderr=subprocess.DEVNULL)
        try:
            def said():
                uart.seek(0)
                return uart.read().decode()
            wait_for(lambda: "done" in said(), "the end of the count")
            return re.findall(r"^(\w+) (\d+)\r?$", said(), re.M)
        finally:
            process.kill()
            process.wait()


def show_cost():
    rows = []
    for name in IMAGES:
        said = [int(number) for _, number in count(name.replace("dunlin-lm3s6965evb",
                                                                "firmware-cost"))]
        samples, recording, records, size, published, publishing, _ = said
        rows += [[f"{name}: a sample, recorded, encoded, logged", recording / samples],
                 [f"{name}: a published batch of {size // records} bytes", publishing / published]]
    table("Instructions, counted by QEMU -icount shift=5", ["", "instructions"], rows)


def main():
    argparse.ArgumentParser(description=__doc__,
                            formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    if firmware.missing():
        print(f"bench firmware: {firmware.missing()}")
        return 1
    show_modules()
    show_ram()
    show_cost()
    show_stack()
    return 0
