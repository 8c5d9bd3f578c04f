#!/usr/bin/python3
"""Cuts the program out of README.md: the ```c block that follows `<!-- program -->`.

Usage: readme_program.py README.md OUT.c. It refuses a program of 40 lines or more.
"""
import re
import sys

LINES_MAX = 39


def main(readme, out):
    with open(readme, encoding="utf-8") as stream:
        match = re.search(r"<!-- program -->\s*```c\n(.*?)```", stream.read(), re.S)
    if not match:
        sys.exit(f"{readme}: no ```c block after <!-- program -->")
    program = match.group(1)
    if program.count("\n") > LINES_MAX:
        sys.exit(f"{readme}: the program has {program.count(chr(10))} lines, at most {LINES_MAX}")
    with open(out, "w", encoding="utf-8") as stream:
        stream.write(program)


if __name__ == "__main__":
    main(*sys.argv[1:])
