#!/usr/bin/python3
"""`dunlin plot` of a capture: valid XML, what was asked for and no more; wrong arguments have their
line. A database is the same path: a capture goes into a private one first.
"""
import os
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "..", "..", "tools"))
import decode  # noqa: E402
from support.waiting import main  # noqa: E402

ROOT = os.path.join(HERE, "..", "..")
BUILD = os.environ.get("DUNLIN_BUILD", os.path.join(ROOT, "build", "linux"))
DUNLIN = os.path.join(BUILD, "dunlin")
UNIX_MS = 1790000000000


def batch(stream, sequence, first_ms, values, dated=False):
    """A record of a device with one metric, a point a second."""
    record = decode.pb.Batch(stream=stream, sequence=sequence, boot=1, base_uptime_ms=first_ms)
    metric = record.metrics.add(id=0, name="power.active", unit="W", kind=1)
    record.catalog = decode.crc32c(0, metric.SerializeToString())
    record.axes.add(count=len(values), first_ms=0, interval_ms=1000)
    column = record.columns.add(metric=0, axis=0, first=values[0])
    column.deltas.extend(after - before for before, after in zip(values, values[1:]))
    if dated:
        record.anchors.add(boot=1, uptime_ms=first_ms, unix_ms=UNIX_MS + first_ms, cause=1)
    return record.SerializeToString()


def run(*arguments, stdin=None):
    done = subprocess.run([DUNLIN, "plot", *arguments], input=stdin, capture_output=True, text=True,
                          timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def texts(svg):
    return [element.text for element in xml.fromstring(svg).iter() if element.tag.endswith("text")]


class Plot(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """Two devices; the first one's clock was set late, and it was silent for a minute."""
        rows = [("d1", batch(1, 1, 0, [5, 6, 7])), ("d1", batch(1, 2, 60000, [8, 9, 7], True)),
                ("d2", batch(2, 1, 0, list(range(30)), True))]
        cls.lines = [f"dunlin/plant/{device}/batch {payload.hex()}" for device, payload in rows]
        cls.lines.append("dunlin/plant/d2/about ")  # cleared
        cls.capture = "\n".join(cls.lines) + "\n"

    def test_of_a_capture(self):
        code, svg, errors = run("--framing", "hex", "--title", "Day <1>", "-", stdin=self.capture)
        self.assertEqual((code, errors), (0, ""))
        shown = texts(svg)
        self.assertIn("Day <1>", shown)
        self.assertIn("W", shown)
        self.assertIn("d1 power.active, gaps: 1", shown)
        self.assertIn("d2 power.active", shown)

    def test_states_are_steps_with_names(self):
        record = decode.pb.Batch.FromString(batch(3, 1, 0, [1, 1, 0, 2], True))
        record.metrics[0].kind = decode.pb.METRIC_KIND_STATE
        record.metrics[0].states.extend(["off", "<on>", 31 * "x" + "\u00e4"])
        record.catalog = decode.crc32c(0, record.metrics[0].SerializeToString())
        line = f"dunlin/plant/d3/batch {record.SerializeToString().hex()}\n"
        code, svg, errors = run("--framing", "hex", "-", stdin=line)
        self.assertEqual((code, errors), (0, ""))
        self.assertIn(f"d3 power.active; 0 off, 1 <on>, 2 {31 * 'x'}", texts(svg))
        self.assertEqual(svg.count("L"), 3 + 3)  # each step goes there, and then up or down
        self.assertNotIn("off", " ".join(texts(run("--framing", "hex", "--rate", "-",
                                                   stdin=line)[1])))

    def test_what_was_asked_for(self):
        for arguments, there, not_there in (
                (("-d", "d2"), "d2 power.active", "d1"), (("-d", "?1", "-m", "pow*"), "d1", "d2"),
                (("--from", "2026-09-21T14:13:22Z", "--to", "2026-09-21T14:13:40Z", "-d", "d2"),
                 "d2 power.active", "gaps"), (("--rate", "-d", "d2"), "W/s", "d1")):
            code, svg, errors = run("--framing", "hex", *arguments, "-", stdin=self.capture)
            self.assertEqual((code, errors), (0, ""), arguments)
            self.assertIn(there, " ".join(texts(svg)))
            self.assertNotIn(not_there, " ".join(texts(svg)))
        code, svg, errors = run("--framing", "hex", "-m", "volt*", "-", stdin=self.capture)
        self.assertEqual((code, svg), (7, ""))
        self.assertIn("no such points", errors)

    def test_a_refused_record_is_told(self):
        code, svg, errors = run("--framing", "hex", "-",
                                stdin=self.capture + "dunlin/plant/d1/batch 00ff\n")
        self.assertEqual(code, 6)
        self.assertIn("refused", errors)
        self.assertIn("d1 power.active, gaps: 1", texts(svg))

    def test_into_a_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "a.svg")
            self.assertEqual(run("--framing", "hex", "-o", path, "-", stdin=self.capture)[:2],
                             (0, ""))
            xml.parse(path)
            code, _, errors = run("--framing", "hex", "-o", folder, "-", stdin=self.capture)
            self.assertEqual(code, 1)
            self.assertIn(folder, errors)
            code, _, errors = run("--db", os.path.join(folder, "none.db"))
            self.assertEqual(code, 8, errors)

    def test_wrong_arguments(self):
        for arguments, word in (((), "--db"), (("x",), "--framing"),
                                (("--framing", "bare"), "bare"),
                                (("--from", "soon"), "--from"), (("--gap", "0"), "--gap"),
                                (("--width", "5"), "--width"), (("-m", ""), "-m"),
                                (("--db", "a", "b"), "--db"), (("--to", "2026-13-01"), "--to"),
                                (("--db", "postgresql://u:p@h/d"), "password"),
                                (("--from", "2026-01-02", "--to", "2026-01-01", "--db", "x"),
                                 "--from")):
            code, out, errors = run(*arguments)
            self.assertEqual((code, out), (2, ""), arguments)
            self.assertEqual(errors.count("\n"), 1, errors)
            self.assertIn(word, errors)


if __name__ == "__main__":
    main()
