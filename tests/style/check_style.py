#!/usr/bin/python3
"""The style of the house as a test: each rule is a function that yields what breaks it.

Usage: check_style.py [--root DIR] RULE...   (no rule: all of them; --list names them)

It reads the tree as it lies, with or without git, and changes nothing. It relies on clang-format's
layout: a function's braces stand alone in the first column.
"""
import os
import re
import shutil
import statistics
import subprocess
import sys

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
TOP_FOLDERS = ("proto", "src", "transport", "boards", "tests", "tools", "cmake", ".ci")
TOP_FILES = {"CMakeLists.txt", "CMakePresets.json", "README.md", "LICENSE", "CHANGELOG.md",
             "SECURITY.md", ".clang-format", ".gitignore", ".editorconfig", ".gitattributes"}
COLUMNS_MAX = 100
FUNCTION_LINES_MAX = 70
FUNCTION_LINES_MEDIAN = 20
FILE_LINES_MAX = 800
HEADERS_OF_C = {"stdint.h", "stdbool.h", "stddef.h", "string.h", "limits.h", "inttypes.h",
                "stdalign.h", "assert.h"}
BANNED = re.compile(
    r"(?<![\w.>])(malloc|calloc|realloc|free|strdup|alloca|printf|fprintf|sprintf|snprintf|"
    r"vsnprintf|puts|putchar|fputs|fwrite|fread|fopen|time|clock|clock_gettime|gettimeofday|"
    r"nanosleep|usleep|sleep|rand|random|srand|getenv|exit|abort|socket|connect|recv|"
    r"strcpy|strcat|strtok|gets|scanf|sscanf|atoi|setjmp|longjmp)\s*\(")
EXTENSION = re.compile(r"\b(__\w+|typeof)\b")
STANDARD_DUNDER = {"__FILE__", "__LINE__", "__func__", "__STDC_VERSION__", "__VA_ARGS__",
                   "__cplusplus", "__GNUC__", "__clang__"}

# src/ in groups: a module includes base.h, its own group, and what the group may see beside it.
# The log does not know what a record means, the encoders do not know where it is stored, a seam
# knows nothing. What is named in no group composes the stages (agent, store, messages).
STORAGE = {"bytes", "flash", "flash_ram", "crc32c", "ledger", "log"}
ENCODING = {"metric", "catalog", "batch", "columns", "axes", "column", "coding", "range",
            "encoder", "wire", "plain", "clock"}
SEAMS = {"link", "uplink", "sensor", "backoff"}
SEEN_BY = ((STORAGE, STORAGE), (ENCODING, ENCODING | {"ledger", "crc32c"}), (SEAMS, set()))
TRANSPORT_MAY = {"base", "uplink", "link"}


def files(folders=TOP_FOLDERS, suffixes=None, names=()):
    """Relative paths below `folders`, sorted, without what a build leaves behind."""
    found = []
    for folder in folders:
        for here, below, entries in os.walk(os.path.join(ROOT, folder)):
            below[:] = [name for name in below if name not in ("__pycache__", "build")]
            for name in entries:
                if suffixes is None or name.endswith(suffixes) or name in names:
                    found.append(os.path.relpath(os.path.join(here, name), ROOT))
    return sorted(found)


def c_files(folders=TOP_FOLDERS):
    return files(folders, (".c", ".h"))


def documents():
    top = [name for name in TOP_FILES if os.path.exists(os.path.join(ROOT, name))]
    return sorted([name for name in top if name.endswith(".md")] + files(suffixes=(".md",)))


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as stream:
        return stream.read()


def is_text(path):
    with open(os.path.join(ROOT, path), "rb") as stream:
        start = stream.read(4096)
    return b"\0" not in start and b"\xff" not in start  # which UTF-8 never has


def everything():
    top = [name for name in TOP_FILES if os.path.exists(os.path.join(ROOT, name))]
    return [path for path in top + files() if is_text(path)]


def shell_scripts():
    scripts = []
    for path in files():
        if path.endswith(".sh") or (is_text(path) and re.match(r"#!.*\b(ba)?sh\b", read(path))):
            scripts.append(path)
    return scripts


def blank_out(text):
    """C source with the insides of comments and strings replaced by spaces, lines kept."""
    pattern = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)

    def spaces(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    return pattern.sub(spaces, text)


def functions(path):
    """(name, first line, count of lines) of each function, its signature included."""
    lines = read(path).splitlines()
    for index, line in enumerate(lines):
        if line != "{":
            continue
        first = index
        while first > 0 and lines[first - 1] and not lines[first - 1].endswith((";", "}", "*/")) \
                and not lines[first - 1].startswith("#"):
            first -= 1
        last = lines.index("}", index) if "}" in lines[index:] else len(lines) - 1
        name = re.search(r"(\w+)\(", " ".join(lines[first:index]))
        yield (name.group(1) if name else "?", first + 1, last - first + 1)


def rule_columns():
    """No line is longer than 100 columns."""
    top = [name for name in ("CMakeLists.txt",) if os.path.exists(os.path.join(ROOT, name))]
    for path in c_files() + files(suffixes=(".py", ".sh", ".cmake", ".proto"),
                                  names=("CMakeLists.txt",)) + shell_scripts() + top:
        for number, line in enumerate(read(path).splitlines(), 1):
            if len(line) > COLUMNS_MAX:
                yield f"{path}:{number}: {len(line)} columns, at most {COLUMNS_MAX}"


def rule_functions():
    """No function is over 70 lines; their median is under 20."""
    sizes = []
    for path in c_files():
        for name, line, count in functions(path):
            if count > FUNCTION_LINES_MAX:
                yield f"{path}:{line}: {name} has {count} lines, at most {FUNCTION_LINES_MAX}"
            if not path.startswith("tests"):
                sizes.append(count)
    median = statistics.median(sizes) if sizes else 0
    print(f"{len(sizes)} functions, median {median:g} lines, longest {max(sizes, default=0)}")
    if median >= FUNCTION_LINES_MEDIAN:
        yield f"the median function has {median:g} lines, must be under {FUNCTION_LINES_MEDIAN}"


def rule_file_length():
    """No source file is over 800 lines."""
    for path in c_files() + files(suffixes=(".py",)):
        count = read(path).count("\n")
        if count > FILE_LINES_MAX:
            yield f"{path}: {count} lines, at most {FILE_LINES_MAX}"


def rule_banned_calls():
    """src/ and transport/mqtt/ call no allocator, clock or stdio, and bring no extension."""
    for path in c_files(("src", "transport/mqtt")):
        text = blank_out(read(path))
        own = {name for name, _, _ in functions(path)}
        for number, line in enumerate(text.splitlines(), 1):
            for match in BANNED.finditer(line):
                if match.group(1) in own:
                    continue
                yield f"{path}:{number}: calls {match.group(1)}"
    for path in c_files(("src", "transport")):
        for number, line in enumerate(blank_out(read(path)).splitlines(), 1):
            for word in EXTENSION.findall(line):
                if word not in STANDARD_DUNDER and path != "src/base.h" \
                        and not (word == "__linux__" and "_posix" in path):
                    yield f"{path}:{number}: {word} is an extension"


def group_of(module):
    """(modules of its group, what they may include), or None for a composition of stages."""
    for group, seen in SEEN_BY:
        if module in group or (group is STORAGE and module.startswith("log_")):
            return group, seen
    return None


def may_include(path, header):
    """True if the layers allow `path` to include `header`."""
    module = os.path.splitext(os.path.basename(path))[0]
    target = os.path.splitext(header)[0]
    in_src = os.path.exists(os.path.join(ROOT, "src", header))
    if path.startswith("transport/"):
        return not in_src or target in TRANSPORT_MAY
    if not path.startswith("src/"):
        return True
    group = group_of(module)
    if header.startswith("pb") or header == "telemetry.pb.h":
        return group is None or group[0] is ENCODING
    if group is None or target in ("base", module):
        return in_src
    return target in group[1] or (group[0] is STORAGE and target.startswith("log_"))


def rule_layers():
    """Includes go one way: base <- stages <- agent; transport sees uplink and link only."""
    for path in c_files(("src", "transport", "boards", "tools")):
        for number, line in enumerate(read(path).splitlines(), 1):
            match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            if not match:
                continue
            header = match.group(2)
            no_os = path.startswith(("src/", "transport/mqtt/"))
            if header.startswith("boards/") or "/boards/" in header:
                yield f"{path}:{number}: nothing includes boards/"
            elif match.group(1) == "<" and not header.startswith("pb"):
                if no_os and header not in HEADERS_OF_C:
                    yield f"{path}:{number}: <{header}> is a header of a system"
            elif not may_include(path, os.path.basename(header)):
                yield f"{path}:{number}: {header} stands on the wrong side of it"


def slug(heading):
    text = re.sub(r"[`*_]|\[([^\]]*)\]\([^)]*\)", r"\1", heading.strip().lower())
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors(path):
    return {slug(match) for match in re.findall(r"^#+\s+(.*)$", read(path), re.M)}


def rule_links():
    """Every relative link in a document leads to a file, and its anchor to a heading."""
    for path in documents():
        text = re.sub(r"^```.*?^```", "", read(path), flags=re.S | re.M)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            file = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
            if not os.path.exists(os.path.join(ROOT, file)):
                yield f"{path}: {target} leads nowhere"
            elif anchor and file.endswith(".md") and anchor not in anchors(file):
                yield f"{path}: {target}: no such heading"


def rule_format():
    """clang-format changes nothing."""
    if not shutil.which("clang-format"):
        print("SKIPPED format: no clang-format here")
        return
    run = subprocess.run(["clang-format", "--dry-run", "-Werror"] + c_files(), cwd=ROOT,
                         capture_output=True, text=True, check=False)
    spots = re.findall(r"^(\S+?):(\d+):\d+: error: ", run.stderr, re.M)
    for path in sorted({path for path, _ in spots}):
        lines = sorted({int(line) for where, line in spots if where == path})
        told = ", ".join(map(str, lines[:8])) + (" ..." if len(lines) > 8 else "")
        yield f"{path}: clang-format -i would change lines {told}"


def rule_places():
    """Nothing names a place where the tree is not at home: home folders, registries' hosts."""
    homes = re.compile(r"(?<![\w.$}/])/(?:home|root|Users|w[o]rk)/\w[\w/.-]*")
    hosts = re.compile(r"\b(?:deb|archive|security|ports|registry|proxy|files|index|pypi)"
                       r"\.[a-z]+\.?[a-z]*\.(?:org|com|io|net)\b")
    for path in everything():
        for number, line in enumerate(read(path).splitlines(), 1):
            for match in list(homes.finditer(line)) + list(hosts.finditer(line)):
                yield f"{path}:{number}: names {match.group(0)}"


def opening(path):
    """The first line of a file that is not a shebang, a blank or a document start."""
    for line in read(path).splitlines():
        if line.strip() and not line.startswith(("#!", "<?xml", "<!DOCTYPE")):
            return line
    return ""


def rule_openings():
    """Each source file opens with a paragraph that says what it is."""
    marks = {".c": ("/*", "//"), ".h": ("/*", "//"), ".proto": ("//",), ".py": ('"""', "#"),
             ".cmake": ("#",), ".txt": ("#",), ".options": ("#", "//")}
    for path in files(("proto", "src", "transport", "boards", "tests", "tools", "cmake")):
        suffix = os.path.splitext(path)[1]
        if suffix == ".txt" and not path.endswith("CMakeLists.txt"):
            continue
        if suffix in marks and not opening(path).startswith(marks[suffix]):
            yield f"{path}: does not open with a comment"
    for path in shell_scripts():
        if not opening(path).startswith("#"):
            yield f"{path}: does not open with a comment"


def comment_lines(path):
    for match in re.finditer(r"//[^\n]*|/\*.*?\*/", read(path), re.S):
        first = read(path).count("\n", 0, match.start()) + 1
        for offset, line in enumerate(match.group(0).splitlines()):
            yield first + offset, re.sub(r"^\s*(//+|/\*+|\*+(?!/))?\s?|\s*\*/$", "", line)


def rule_dead_code():
    """No code is commented out, and none is switched off by `#if 0`."""
    code = re.compile(r"^(?:\w[\w\->.\[\]]*\s*(?:[-+|&]?=(?!=)\s*[^;]+|\([^;]*\));"
                      r"|(?:if|for|while|switch) ?\(.*\) ?\{?$|#\s*(?:include|define|ifdef) .*)$")
    for path in c_files():
        for number, line in comment_lines(path):
            if code.match(line.strip()) and not line.startswith("    "):
                yield f"{path}:{number}: code in a comment: {line.strip()}"
        for number, line in enumerate(read(path).splitlines(), 1):
            if re.match(r"\s*#\s*if\s+0\b", line):
                yield f"{path}:{number}: code switched off"


def rule_shellcheck():
    """shellcheck has nothing to say about the scripts."""
    if not shutil.which("shellcheck"):
        print("SKIPPED shellcheck: not installed here")
        return
    run = subprocess.run(["shellcheck", "-f", "gcc"] + shell_scripts(), cwd=ROOT,
                         capture_output=True, text=True, check=False)
    yield from run.stdout.splitlines()


def rule_top_level():
    """The top level holds the folders and files of the design and nothing else."""
    hidden = {".git", ".github", ".cache", ".vscode"}
    for name in sorted(os.listdir(ROOT)):
        if name not in TOP_FILES and name not in TOP_FOLDERS and name != "build" \
                and name not in hidden:
            yield f"{name}: not at home at the top level"


RULES = {name[len("rule_"):]: function for name, function in list(globals().items())
         if name.startswith("rule_")}


def main(arguments):
    global ROOT
    if arguments[:1] == ["--root"]:
        ROOT = os.path.realpath(arguments[1])
        arguments = arguments[2:]
    if arguments == ["--list"]:
        print("\n".join(RULES))
        return 0
    if any(name not in RULES for name in arguments):
        print(__doc__, file=sys.stderr)
        return 2
    broken = 0
    for name in arguments or RULES:
        for complaint in RULES[name]():
            print(f"{name}: {complaint}")
            broken += 1
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
