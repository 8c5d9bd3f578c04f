"""Flash and static RAM of an image by module, read from the map that the linker writes.

What counts: every input section that was linked into flash or RAM, under the object file it came
from; initialised data counts in both. Strings that several files share count where the linker kept
them. `fill` is alignment between sections.
"""
import collections
import re

# Each module by the names of its object files, the first match counts. What no line names is the
# board's.
MODULES = (
    ("log", r"log(_\w+)?|ledger|store|crc32c(_\w+)?|flash_ram|thinner\w*"),
    ("encoder", r"columns|column|axes|coding|range|deltas|plain|wire|encoder"),
    ("mqtt 5", r"packet5|properties|route"),
    ("mqtt 3.1.1", r"packet|session|uplink_mqtt|mqtt_\w+"),
    ("core", r"agent|backoff|batch|catalog|clock|lane|messages|notice|outbox|recorder|sender"
             r"|window|node|blame|urgent|\w+_none"),
)
LIBRARIES = (("nanopb", r"libnanopb|libdun_proto"), ("lwip", r"liblwip"), ("libc", r"libc_nano"),
             ("libgcc", r"libgcc"), ("core", r"libdunlin_core"))
CLIENT = ("core", "log", "encoder", "mqtt 3.1.1", "mqtt 5", "nanopb", "libgcc")
FLASH_END = 0x10000000
SECTION = re.compile(r"^ (\.\S+|COMMON|\*fill\*)?\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)(?:\s+(\S.*))?$")
NAME_ALONE = re.compile(r"^ (\.\S+)$")
OUTPUT = re.compile(r"^(\.\S+)(\s+0x[0-9a-f]+\s+0x([0-9a-f]+)(\s+load address.*)?)?$")
DEBUG = re.compile(r"\.(debug|comment|ARM\.attributes|stab)")


def module_of(path):
    """The module that an object file belongs to."""
    library, _, member = path.rpartition("/")[2].rpartition("(")
    name = re.sub(r"\.(c|S)?(\.obj|\.o)?$", "", member.rstrip(")"))
    for module, pattern in LIBRARIES:
        if library and re.match(pattern, library) and module != "core":
            return module
    if "link_lwip" in name:
        return "lwip"
    ours = library.startswith("libdunlin") or "/src/" in path or "/transport/" in path
    if ours or name == "node":
        for module, pattern in MODULES:
            if re.fullmatch(pattern, name):
                return module
        return "core" if library.startswith("libdunlin") else "board"
    return "board"


class Image:
    """flash[module], ram[module] in bytes, and the same by object file."""

    def __init__(self, path):
        self.flash, self.ram = collections.Counter(), collections.Counter()
        self.objects = collections.Counter()
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
        self._read(text.partition("Linker script and memory map")[2].splitlines())

    def _read(self, lines):
        pending, output, path = None, "", ""
        for line in lines:
            begins = OUTPUT.match(line)
            if begins:
                output = begins.group(1)
                if output == ".stack":
                    self.ram["stack"] = int(begins.group(3), 16)
                continue
            alone = NAME_ALONE.match(line)
            if alone:
                pending = alone.group(1)
                continue
            found = SECTION.match(line)
            if not found:
                pending = None
                continue
            name, address, size = found.group(1) or pending, *(int(number, 16) for number
                                                              in found.group(2, 3))
            pending = None
            path = found.group(4) or path
            if name and size and not DEBUG.match(name) and not DEBUG.match(output):
                self._count(name, output, address, size, path)

    def _count(self, name, output, address, size, path):
        module = "fill" if name == "*fill*" else module_of(path)
        if address < FLASH_END:
            self.flash[module] += size
            self.objects[path.rpartition("/")[2]] += size
        else:
            self.ram[module] += size
            if output == ".data": # its first values lie in flash
                self.flash[module] += size

    def client(self):
        """Flash of the client: all but lwIP, the board's drivers and the C library."""
        return sum(self.flash[module] for module in CLIENT)
