"""Plants each bug of mutations.txt in a copy of its file and sees that a test program finds it.

    mutate.py BUILD_JSON MUTATIONS [NAME...]

The mutated file is compiled alone, in a temporary folder, and linked with the objects of the test
program ahead of the core's archive, so its functions take the place of the archive's. The tree is
never written to. A bug that survives, or whose old text is no longer there exactly once, fails.
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

RUN_SECONDS = 30  # a program that hangs on a bug has found it


class Mutation:
    """One block of the list: `## name`, `file, found by program`, then lines - old, + new,
    and with a space in front both."""

    def __init__(self, block):
        head, where, *lines = block.rstrip("\n").split("\n")
        self.name = head.strip()
        self.path, self.program = where.split(", found by ")
        self.old = "".join(line[1:] + "\n" for line in lines if line[:1] in "- ")
        self.new = "".join(line[1:] + "\n" for line in lines if line[:1] in "+ ")
        if self.old == self.new or any(line[:1] not in ("-", "+", " ") for line in lines):
            raise ValueError(f"not a mutation: {self.name}")


def read_list(path):
    blocks = pathlib.Path(path).read_text(encoding="utf-8").split("\n## ")[1:]
    return [Mutation(block) for block in blocks]


class Workshop:
    def __init__(self, build):
        self.build = build
        self.root = pathlib.Path(build["source"])

    def run(self, program, executable):
        """True if the program is content."""
        command = [executable] + self.build["programs"][program]["arguments"]
        try:
            return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                  timeout=RUN_SECONDS, check=False).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def make(self, mutation, folder):
        """Builds the program with the bug in it; returns its path."""
        text = (self.root / mutation.path).read_text(encoding="utf-8")
        count = text.count(mutation.old)
        if count != 1:
            raise AssertionError(f"its old text is {count} times in {mutation.path}, not once")
        source = pathlib.Path(folder) / pathlib.Path(mutation.path).name
        source.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
        program = self.build["programs"][mutation.program]
        executable = str(source.with_suffix(".run"))
        command = [self.build["cc"], "-std=c11", "-O1", "-w", "-o", executable, str(source)]
        command += [f"-I{path}" for path in self.build["includes"]]
        command += program["objects"] + self.build["libraries"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise AssertionError(f"it does not compile: {result.stderr}")
        return executable


class Mutations(unittest.TestCase):
    workshop = None
    mutations = []

    def test_programs_are_content_without_a_bug(self):
        for name in sorted({mutation.program for mutation in self.mutations}):
            with self.subTest(name):
                executable = self.workshop.build["programs"][name]["executable"]
                self.assertTrue(self.workshop.run(name, executable))

    def test_each_bug_is_found(self):
        for mutation in self.mutations:
            with self.subTest(mutation.name), tempfile.TemporaryDirectory() as folder:
                began = time.monotonic()
                content = self.workshop.run(mutation.program, self.workshop.make(mutation, folder))
                print(f"{time.monotonic() - began:6.1f} s  {'SURVIVED' if content else 'found'}"
                      f"  {mutation.name}", flush=True)
                self.assertFalse(content, f"{mutation.program} did not find it")


def main():
    build, mutations, *names = sys.argv[1:]
    Mutations.workshop = Workshop(json.loads(pathlib.Path(build).read_text(encoding="utf-8")))
    Mutations.mutations = [mutation for mutation in read_list(mutations)
                           if not names or mutation.name in names]
    if not Mutations.mutations:
        sys.exit("no such mutation")
    unittest.main(argv=sys.argv[:1])


if __name__ == "__main__":
    main()
