#!/usr/bin/python3
"""A seed is a run, bit for bit, on wasm as on the machine that builds: the traces are the same."""
import hashlib
import os
import shutil
import subprocess
import sys

SEEDS = range(1, 13)
HERE = os.path.dirname(os.path.realpath(__file__))


def trace(command, seed):
    """(SHA-256 of what one run tells but for how long it took, how many lines, exit code)"""
    run = subprocess.run([*command, "--seed", str(seed), "--trace"], stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, check=False)
    lines = [line for line in run.stdout.splitlines()
             if b" runs, " not in line and b" simulated device-years" not in line]
    return hashlib.sha256(b"\n".join(lines)).hexdigest(), len(lines), run.returncode


def main(native, module):
    node = shutil.which("node")
    for needed, why in ((node, "there is no node to run the simulator in"),
                        (os.path.exists(native), f"{native} is not built: the preset linux")):
        if not needed:
            print(f"SKIPPED {why}")
            return 77
    differing = 0
    for seed in SEEDS:
        ours = trace([native], seed)
        theirs = trace([node, "--no-warnings", os.path.join(HERE, "run.mjs"), module], seed)
        differing += ours != theirs
        print(f"seed {seed}: {ours[1]} lines, {ours[0][:16]} native, {theirs[0][:16]} wasm")
    print(f"{differing} of {len(SEEDS)} seeds differ")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
