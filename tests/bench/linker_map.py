"""Flash and static RAM of an image by module, read from the map that the linker writes.

What counts: every input section that was linked into flash or RAM, under the source file it came
from; initialised data counts in both. Strings that several files share count where the linker kept
them. `fill` is alignment between sections.

An image that was optimised as a whole has nameless objects in its map, one a source file, and
functions of one inlined in others. Of these the debug information tells, byte by byte, which file
an instruction comes from; what is none counts where the functions of its object do.
"""
import collections
import re
import subprocess

# Each module by the names of its source files, the first match counts.
MODULES = (
    ("log", r"log(_\w+)?|ledger|store|crc32c(_\w+)?|flash_ram|thinner\w*"),
    ("encoder", r"columns|column|axes|coding|range|deltas|plain|wire|encoder|real"),
    ("mqtt 5", r"properties|route\w*"),
    ("sntp", r"sntp(_lwip)?"),
    ("remote", r"remote|settings"),
    ("mqtt 3.1.1", r"packet|session|uplink_mqtt|version\w*"),
)
LIBRARIES = (("nanopb", r"libnanopb|libdun_proto|/nanopb-|/generated/"),
             ("libgcc", r"/?libgcc|/divide\."),
             ("lwip", r"liblwip|/lwip-|/lwip_port/|link_lwip"), ("libc", r"lib[cg]_nano|newlib"))
CLIENT = ("core", "log", "encoder", "mqtt 3.1.1", "mqtt 5", "nanopb", "libgcc")
FLASH_END = 0x10000000

SECTION = re.compile(r"^ (\.\S+|COMMON|\*fill\*)?\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)(?:\s+(\S.*))?$")
NAME_ALONE = re.compile(r"^ (\.\S+)$")
OUTPUT = re.compile(r"^(\.\S+)(\s+0x[0-9a-f]+\s+0x([0-9a-f]+)(\s+load address.*)?)?$")
DEBUG = re.compile(r"\.(debug|comment|ARM\.attributes|stab)")
NAMELESS = re.compile(r"\.ltrans\d+\.ltrans\.o$")

Section = collections.namedtuple("Section", "name output address size path")


def module_of(path):
    """The module that a source or object file, perhaps of an archive, belongs to."""
    for module, pattern in LIBRARIES:
        if re.search(pattern, path):
            return module
    library, _, member = path.rpartition("/")[2].rpartition("(")
    name = re.sub(r"(\.[chS])?(\.obj|\.o)?$", "", member.rstrip(")"))
    if library.startswith("libdunlin") or re.search(r"/(src|transport)/", path) or name == "node":
        for module, pattern in MODULES:
            if re.fullmatch(pattern, name):
                return module
        return "core"
    return "board"


def frames_of(elf, addresses):
    """Of each address the files of its line, innermost first: where the code comes from, and last
    the function that it was inlined into."""
    told = subprocess.run(["arm-none-eabi-addr2line", "-a", "-i", "-e", elf], check=True, text=True,
                          input="".join(f"{address:#x}\n" for address in addresses),
                          capture_output=True).stdout
    return [[line.rpartition(":")[0] for line in block.splitlines()[1:]]
            for block in re.split(r"^(?=0x)", told, flags=re.M)[1:]]


def read_sections(lines):
    """The input sections that a map lists, with the output section each went to."""
    pending, output, path = None, "", ""
    for line in lines:
        begins, alone, found = OUTPUT.match(line), NAME_ALONE.match(line), SECTION.match(line)
        if begins:
            output = begins.group(1)
            if output == ".stack":
                yield Section(output, output, FLASH_END, int(begins.group(3), 16), "")
        elif found:
            path = found.group(4) or path
            name, size = found.group(1) or pending, int(found.group(3), 16)
            if name and size and not DEBUG.match(name) and not DEBUG.match(output):
                yield Section(name, output, int(found.group(2), 16), size, path)
        pending = alone.group(1) if alone else None


class Image:
    """flash[module] and ram[module] in bytes; flash by file in `files`."""

    def __init__(self, path):
        self.flash, self.ram = collections.Counter(), collections.Counter()
        self.files = collections.Counter()
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
        sections = list(read_sections(
            text.partition("Linker script and memory map")[2].splitlines()))
        code = [section for section in sections
                if NAMELESS.search(section.path) and section.name.startswith(".text")]
        owners = self._count_code(path.removesuffix(".map") + ".elf", code)
        for section in sections:
            if section not in code:
                self._count(section, owners.get(section.path, section.path))

    def _count_code(self, elf, code):
        """Counts each two bytes where they come from. {nameless object: its source file}"""
        spots = [(section, address) for section in code
                 for address in range(section.address, section.address + section.size, 2)]
        frames = frames_of(elf, [address for _, address in spots]) if spots else []
        found, owners = collections.Counter(), collections.defaultdict(collections.Counter)
        for (section, address), files in zip(spots, frames):
            found[section, files[0]] += min(2, section.address + section.size - address)
            owners[section.path][files[-1]] += 1
        owners = {path: files.most_common(1)[0][0] for path, files in owners.items()}
        for (section, file), size in found.items():
            self._count(section._replace(size=size),
                        file if file != "??" else owners[section.path])
        return owners

    def _count(self, section, path):
        module = {"*fill*": "fill", ".stack": "stack"}.get(section.name) or module_of(path)
        if section.address < FLASH_END:
            self.flash[module] += section.size
            self.files[path.rpartition("/")[2]] += section.size
        else:
            self.ram[module] += section.size
            if section.output == ".data":  # its first values lie in flash
                self.flash[module] += section.size

    def client(self):
        """Flash of the client: all but lwIP, the board's drivers and the C library."""
        return sum(self.flash[module] for module in CLIENT)
