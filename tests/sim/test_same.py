#!/usr/bin/python3
"""A seed is a run, bit for bit, wherever it runs: the traces are those of the machine that builds.

test_same.py NATIVE A..B,C COMMAND...: of the words of COMMAND, `--` stands for the arguments of the
simulator, and `{}` for all of them in one word. A seed that needs more memory than a small machine
has is told as skipped.
"""
import hashlib
import os
import shutil
import subprocess
import sys


def trace(command):
    """(lines of what one run tells but for how long it took, exit code)"""
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return [line for line in run.stdout.splitlines()
            if b" runs, " not in line and b" simulated device-years" not in line], run.returncode


def same(seed, native, elsewhere):
    options = ["--seed", str(seed), "--trace"]
    ours, our_code = trace([native, *options])
    theirs, their_code = trace([word for part in elsewhere for word in
                                (options if part == "--"
                                 else [part.replace("{}", " ".join(options))])])
    if theirs and theirs[-1].endswith(b"out of memory"):
        print(f"SKIPPED seed {seed}: it needs more memory than there is")
        return True
    digest = hashlib.sha256(b"\n".join(ours)).hexdigest()[:16]
    if (ours, our_code) == (theirs, their_code):
        print(f"seed {seed}: {len(ours)} lines, {digest}, the same")
        return our_code == 0
    at = next((i for i, pair in enumerate(zip(ours, theirs)) if pair[0] != pair[1]),
              min(len(ours), len(theirs)))
    for lines, code in ((ours, our_code), (theirs, their_code)):
        print(f"seed {seed}, code {code}, line {at + 1}: "
              + (lines[at].decode() if at < len(lines) else "the end"))
    return False


def main(native, seeds, *elsewhere):
    ranges = [[int(end) for end in part.split("..")] for part in seeds.split(",")]
    for needed, why in ((shutil.which(elsewhere[0]), f"there is no {elsewhere[0]}"),
                        (os.path.exists(native), f"{native} is not built: the preset linux")):
        if not needed:
            print(f"SKIPPED {why}")
            return 77
    return 0 if all([same(seed, native, elsewhere) for ends in ranges
                     for seed in range(ends[0], ends[-1] + 1)]) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
