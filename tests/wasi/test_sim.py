#!/usr/bin/python3
"""A seed is a run, bit for bit, on wasm as on the machine that builds: the traces are the same."""
import hashlib
import os
import subprocess
import sys

SEEDS = range(1, 13)


def trace(command, seed):
    """(SHA-256 of what one run tells but for how long it took, how many lines, exit code)"""
    run = subprocess.run([*command, "--seed", str(seed), "--trace"], stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, check=False)
    lines = [line for line in run.stdout.splitlines()
             if b" runs, " not in line and b" simulated device-years" not in line]
    return hashlib.sha256(b"\n".join(lines)).hexdigest(), len(lines), run.returncode


def main(native, wasmtime, module):
    if not os.path.exists(native):
        print(f"SKIPPED {native} is not built: the preset linux")
        return 77
    wasm = [wasmtime, "run", "--allow-precompiled", "-W", "exceptions=y", module]
    differing = 0
    for seed in SEEDS:
        ours = trace([native], seed)
        theirs = trace(wasm, seed)
        differing += ours != theirs
        print(f"seed {seed}: {ours[1]} lines, {ours[0][:16]} native, {theirs[0][:16]} wasm")
    print(f"{differing} of {len(SEEDS)} seeds differ")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
