#!/usr/bin/env python3
"""Makes the component of a core module, smaller than wasm-tools would.

   component.py [--pack STACK] WASM_TOOLS LIBC CORE OUT

What the component imports, and the types of it, come from wasm-tools, by the custom sections of
CORE and by LIBC/run.wit. How the calls are bound is written here: the memory is a module of its own
(LIBC/memory.wat), so that no table of trampolines stands between CORE and its imports, and inside
the component all names are short. --pack also packs the initial memory, which LIBC/unpack.c
unpacks; STACK is the size of the stack that CORE was linked with: the packed bytes go where it
ends.
"""
import lzma
import os
import subprocess
import sys
import tempfile

# Sections of core modules, and of components.
CUSTOM, TYPES, IMPORTS, FUNCTIONS, MEMORIES, GLOBALS, EXPORTS, CODE, DATA, DATA_COUNT = (
    0, 1, 2, 3, 5, 6, 7, 10, 11, 12)
MODULE, CORE_INSTANCE, INSTANCE, ALIAS, TYPE, CANON, IMPORT, EXPORT = 1, 2, 5, 6, 7, 8, 10, 11

RUN = "wasi:cli/run@0.2.0"
DROP = "[resource-drop]"
# Those of the calls that answer with a list or a text, and so take memory.
LISTS = {"get-environment", "get-arguments", "poll", "[method]input-stream.read",
         "[method]descriptor.read", "get-directories",
         "[method]directory-entry-stream.read-directory-entry"}
FILTER = {"id": lzma.FILTER_LZMA1, "preset": 9 | lzma.PRESET_EXTREME, "lc": 3, "lp": 0, "pb": 0}
UNPACKER = 32768  # bytes of stack: its own, and what it is called with
PACKED = b"\1"  # tells libc/start.c that there is something to unpack


# Bytes


def number(data, at):
    """An unsigned LEB128 number, and what stands behind it."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def leb(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def signed_leb(value):
    """Of a value that is not negative."""
    out = leb(value)
    return out if not out[-1] & 64 else out[:-1] + bytes([out[-1] | 128, 0])


def text(data, at):
    size, at = number(data, at)
    return data[at:at + size].decode(), at + size


def name(word):
    return leb(len(word)) + word.encode()


def vector(items):
    return leb(len(items)) + b"".join(items)


def section(kind, body):
    return bytes([kind]) + leb(len(body)) + body


def sections(module):
    at = 8
    while at < len(module):
        kind = module[at]
        size, at = number(module, at + 1)
        yield kind, module[at:at + size]
        at += size


def rest_of(data):
    """A vector without its count, so that an item can be put before."""
    return data[number(data, 0)[1]:]


# The core module


class Core:
    def __init__(self, module):
        self.head = module[:8]
        self.parts = list(sections(module))
        self.imports = []  # (module, name, kind, description)
        data = self.of(IMPORTS)
        count, at = number(data, 0)
        for _ in range(count):
            whence, at = text(data, at)
            word, at = text(data, at)
            begin = at + 1
            kind, at = data[at], begin
            at = number(data, at)[1] if kind == 0 else number(data, begin + 1)[1]
            self.imports.append((whence, word, kind, data[begin:at]))
        self.wasi = [one for one in self.imports if one[0].startswith("wasi:")]

    def of(self, kind):
        return dict(self.parts).get(kind, b"\0")

    def pages(self):
        """What it asks for, as memory.wat writes it."""
        flags_and_least = [one[3] for one in self.imports if one[2] == 2][0]
        return number(flags_and_least, 1)[0]

    def run(self):
        """The index of the function that is exported as such."""
        data = self.of(EXPORTS)
        count, at = number(data, 0)
        for _ in range(count):
            word, at = text(data, at)
            index, behind = number(data, at + 1)
            at = behind
            if word == RUN + "#run":
                return index
        sys.exit(f"component.py: there is no {RUN}#run")

    def image(self):
        """The first address, and the bytes from there on that the active segments fill."""
        count, at = number(self.of(DATA), 0)
        data, segments = self.of(DATA), []
        for _ in range(count):
            if data[at:at + 2] != b"\0\x41":
                sys.exit("component.py: a segment that is not active")
            address, at = number(data, at + 2)
            size, at = number(data, at + 1)
            segments.append((address, data[at:at + size]))
            at += size
        begin = min(address for address, _ in segments)
        memory = bytearray(max(address + len(piece) for address, piece in segments) - begin)
        for address, piece in segments:
            memory[address - begin:address - begin + len(piece)] = piece
        return begin, bytes(memory)

    def packed(self, stack):
        top, _ = number(self.of(GLOBALS), 4)  # one global: mutable, i32.const
        begin, memory = self.image()
        bits = PACKED + begin.to_bytes(4, "little") + lzma.compress(memory, lzma.FORMAT_RAW,
                                                                    filters=[FILTER])
        if len(bits) + UNPACKER > stack:
            sys.exit("component.py: no room on the stack for what is packed")
        return b"\1\0\x41" + signed_leb(top - stack) + b"\x0b" + leb(len(bits)) + bits

    def short(self, names, data):
        """The module with these names for its imports, and `data` for its segments."""
        imports = vector([name("") + name(word) + bytes([one[2]]) + one[3]
                          for word, one in zip(names, self.imports)])
        exports = vector([name("run") + b"\0" + leb(self.run())])
        replaced = {IMPORTS: imports, EXPORTS: exports, DATA: data}
        gone = {CUSTOM} if data is self.of(DATA) else {CUSTOM, DATA_COUNT}
        return self.head + b"".join(section(kind, replaced.get(kind, part))
                                    for kind, part in self.parts if kind not in gone)

    def dummy(self):
        """A module with the imports from WASI and no code, for wasm-tools to tell their types."""
        count, _ = number(self.of(TYPES), 0)
        types = leb(count + 2) + rest_of(self.of(TYPES)) + (
            b"\x60\0\1\x7f" b"\x60\4\x7f\x7f\x7f\x7f\1\x7f")
        imports = vector([name(whence) + name(word) + bytes([kind]) + rest
                          for whence, word, kind, rest in self.wasi])
        first = len(self.wasi)
        exports = vector([name("memory") + b"\2\0", name(RUN + "#run") + b"\0" + leb(first),
                          name("cabi_realloc") + b"\0" + leb(first + 1)])
        return self.head + section(TYPES, types) + section(IMPORTS, imports) + section(
            FUNCTIONS, vector([leb(count), leb(count + 1)])) + section(
            MEMORIES, b"\1\0\1") + section(EXPORTS, exports) + section(
            CODE, b"\2" + 2 * b"\3\0\0\x0b") + b"".join(
            section(kind, part) for kind, part in self.parts
            if kind == CUSTOM and text(part, 0)[0].startswith("component-type"))


# The component


class Prefix:
    """What stands before the first module of a component by wasm-tools: types and imports."""

    def __init__(self, component):
        self.instances = []
        self.types = 0
        self.bytes = component[:8]
        for kind, part in sections(component):
            if kind == MODULE:
                return
            self.bytes += section(kind, part)
            if kind in (TYPE, ALIAS):
                self.types += number(part, 0)[0]
            elif kind == IMPORT:
                self.take_imports(part)

    def take_imports(self, part):
        count, at = number(part, 0)
        for _ in range(count):
            word, at = text(part, at + 1)
            if part[at] != 5:
                sys.exit("component.py: an import that is no instance")
            _, at = number(part, at + 1)
            self.instances.append(word)


def bind(core, prefix):
    """Aliases, and what binds each import of the core module: a list of core functions."""
    aliases, canons, types, functions = [], [], prefix.types, 0
    for whence, word, _, _ in core.wasi:
        instance = leb(prefix.instances.index(whence))
        if word.startswith(DROP):
            aliases.append(b"\3\0" + instance + name(word[len(DROP):]))
            canons.append(b"\3" + leb(types))
            types += 1
        else:
            options = [b"\0", b"\3\0"] + ([b"\4\0"] if word in LISTS else [])
            aliases.append(b"\1\0" + instance + name(word))
            canons.append(b"\1\0" + leb(functions) + vector(options))
            functions += 1
    return aliases, canons, types, functions


def short_names(core):
    """Names of the imports: those from the memory and of WASI, in order."""
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    if len(core.imports) > len(letters):
        sys.exit("component.py: more imports than letters")
    return letters[:len(core.imports)]


def component(core, prefix, memory, data):
    aliases, canons, types, functions = bind(core, prefix)
    names = short_names(core)
    # Core functions: realloc, what the memory lends and gives, the calls of WASI.
    own = [one for one in core.imports if one not in core.wasi and one[2] == 0]
    exports, index = [], 1 + len(own)
    for word, one in zip(names, core.imports):
        if one[2] == 2:
            exports.append(name(word) + b"\2\0")
        elif one in core.wasi:
            exports.append(name(word) + b"\0" + leb(index))
            index += 1
        else:
            exports.append(name(word) + b"\0" + leb(1 + own.index(one)))
    from_memory = [b"\0\2\1\0" + name("memory"), b"\0\0\1\0" + name("realloc")] + [
        b"\0\0\1\0" + name(one[1]) for one in own]
    result = leb(types)
    run_type = leb(types + 1)
    modules = section(MODULE, memory) + section(MODULE, core.short(names, data))
    return prefix.bytes + modules + b"".join(section(kind, vector(items)) for kind, items in (
        (CORE_INSTANCE, [b"\0\0\0"]),
        (ALIAS, from_memory + aliases),
        (CANON, canons),
        (CORE_INSTANCE, [b"\1" + vector(exports), b"\0\1\1" + name("") + b"\x12\1"]),
        (ALIAS, [b"\0\0\1\2" + name("run")]),
        (TYPE, [b"\x6a\0\0", b"\x40\0\0" + result]),
        (CANON, [b"\0\0" + leb(index) + b"\0" + run_type]),
        (INSTANCE, [b"\1" + vector([b"\0" + name("run") + b"\1" + leb(functions)])]),
        (EXPORT, [b"\0" + name(RUN) + b"\5" + leb(len(prefix.instances)) + b"\0"])))


def types_of(core, tools, libc, folder):
    """What wasm-tools writes before the modules of such a component."""
    path = os.path.join(folder, "dummy")
    with open(path, "wb") as file:
        file.write(core.dummy())
    for words in (["component", "embed", os.path.join(libc, "run.wit")], ["component", "new"],
                  ["strip", "--all"]):
        subprocess.run([tools, *words, path, "-o", path], check=True)
    with open(path, "rb") as file:
        return Prefix(file.read())


def memory_of(core, tools, libc, folder):
    path = os.path.join(folder, "memory")
    with open(os.path.join(libc, "memory.wat"), encoding="utf-8") as file:
        wat = file.read().replace("PAGES", str(core.pages()))
    with open(path, "w", encoding="utf-8") as file:
        file.write(wat)
    subprocess.run([tools, "parse", path, "-o", path], check=True)
    subprocess.run([tools, "strip", "--all", path, "-o", path], check=True)
    with open(path, "rb") as file:
        return file.read()


def main():
    arguments = sys.argv[1:]
    stack = int(arguments[1]) if arguments[0] == "--pack" else None
    tools, libc, core_path, out = arguments[-4:]
    with open(core_path, "rb") as file:
        core = Core(file.read())
    data = core.of(DATA) if stack is None else core.packed(stack)
    with tempfile.TemporaryDirectory() as folder:
        made = component(core, types_of(core, tools, libc, folder),
                         memory_of(core, tools, libc, folder), data)
    with open(out, "wb") as file:
        file.write(made)
    subprocess.run([tools, "validate", out], check=True)


main()
