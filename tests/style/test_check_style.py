#!/usr/bin/python3
"""The style check checked: a tree that breaks one rule gets exactly that rule's complaint."""
import os
import subprocess
import sys
import tempfile
import unittest

CHECK = os.path.join(os.path.dirname(os.path.realpath(__file__)), "check_style.py")
PLATE = "/* a.c: a plate. */\n"
SMALL = "static int one(void)\n{\n    return 1;\n}\n"
LONG = "static int two(void)\n{\n" + "    one();\n" * 70 + "    return 1;\n}\n"

# rule -> (file, content) that breaks it
BROKEN = {
    "columns": ("src/a.c", PLATE + "/* " + "x" * 100 + " */\n"),
    "functions": ("src/a.c", PLATE + SMALL * 3 + LONG),
    "file_length": ("src/a.c", PLATE + "\n" * 801),
    "banned_calls": ("src/a.c", PLATE + "static int f(void)\n{\n    return malloc(1) != 0;\n}\n"),
    "layers": ("src/log.c", PLATE + '#include "batch.h"\n'),
    "links": ("proto/SPEC.md", "See [that](gone.md).\n"),
    "format": ("src/a.c", PLATE + "int  a;\n"),
    "places": ("tools/x.py", '"""x"""\nPATH = "/ho' + 'me/joe/x"\n'),
    "openings": ("src/a.c", "int a;\n"),
    "dead_code": ("src/a.c", PLATE + "// x = y + 1;\n"),
    "shellcheck": ("tools/x.sh", "#!/bin/sh\n# x.\ncd $1\n"),
    "top_level": ("notes.txt", "x\n"),
}
FINE = {
    "src/base.h": "/* base.h: all. */\n",
    "src/batch.h": "/* batch.h: points. */\n",
    "src/log.c": PLATE + '#include "base.h"\n\n' + SMALL,
}


class StyleCheck(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        for path, content in FINE.items():
            self.write(path, content)
        style = os.path.join(os.path.dirname(CHECK), "..", "..", ".clang-format")
        with open(style, encoding="utf-8") as stream:
            self.write(".clang-format", stream.read())

    def write(self, path, content):
        whole = os.path.join(self.folder.name, path)
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        with open(whole, "w", encoding="utf-8") as stream:
            stream.write(content)

    def check(self, *rules):
        return subprocess.run([sys.executable, CHECK, "--root", self.folder.name, *rules],
                              capture_output=True, text=True, check=False)

    def test_a_clean_tree_passes(self):
        run = self.check()
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

    def test_each_rule_sees_what_breaks_it(self):
        rules = subprocess.run([sys.executable, CHECK, "--list"], capture_output=True, text=True,
                               check=True).stdout.split()
        self.assertEqual(sorted(rules), sorted(BROKEN), "a rule without a test")
        for rule, (path, content) in BROKEN.items():
            with self.subTest(rule):
                self.write(path, content)
                run = self.check(rule)
                self.assertIn(f"{rule}: {path}", run.stdout, run.stderr)
                self.assertEqual(run.returncode, 1)
                os.remove(os.path.join(self.folder.name, path))
                self.setUp()

    def test_words_in_comments_and_strings_are_no_calls(self):
        self.write("src/a.c", PLATE + '/* free(this) */\nstatic const char *x = "malloc(1)";\n')
        self.assertEqual(self.check("banned_calls").returncode, 0)


if __name__ == "__main__":
    unittest.main()
