#!/usr/bin/python3
"""No module of a firmware outgrows its line in the board's budget.txt."""
import os
import re
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "interop")]
# pylint: disable=wrong-import-position
from bench_firmware import client_ram, image  # noqa: E402
from support import firmware  # noqa: E402
from support.waiting import main  # noqa: E402

BUDGET = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "boards",
                      "lm3s6965evb", "budget.txt")
MISSING = firmware.missing()


def budgets():
    """{image: {module: (flash, ram)}}"""
    found, lines = {}, {}
    with open(BUDGET, encoding="utf-8") as stream:
        for line in stream:
            words = re.split(r"\s{2,}", line.partition("#")[0].strip())
            if words[1:] == ["flash", "ram"]:
                lines = found.setdefault(words[0], {})
            elif len(words) == 3:
                lines[words[0]] = (int(words[1]), int(words[2]))
    return found


def used(name):
    """{module: (flash, ram)} of an image, with its sums."""
    linked = image(name)
    modules = {module: (linked.flash[module], linked.ram[module])
               for module in {*linked.flash, *linked.ram} - {"fill"}}
    modules["client"] = (linked.client(), sum(client_ram()[0].values()))
    modules["image"] = (sum(linked.flash.values()), sum(linked.ram.values()))
    return modules


@unittest.skipIf(MISSING, MISSING)
class Budget(unittest.TestCase):
    def test_no_module_outgrows_its_budget(self):
        for name, lines in budgets().items():
            for module, sizes in used(name).items():
                with self.subTest(image=name, module=module):
                    self.assertIn(module, lines, f"budget.txt has no line for {module}")
                    for what, size, limit in zip(("flash", "static RAM"), sizes, lines[module]):
                        self.assertLessEqual(
                            size, limit, f"{name}: {module} takes {size} bytes of {what}; its "
                            f"budget is {limit}, see {os.path.relpath(BUDGET)}")

    def test_all_that_is_linked_is_counted(self):
        for name in budgets():
            linked = image(name)
            self.assertGreater(linked.client(), 8000)
            self.assertGreater(sum(client_ram()[0].values()), 1000)
            self.assertGreater(linked.flash["board"], 2000)
            self.assertLess(linked.flash["fill"], 1000)


if __name__ == "__main__":
    main()
