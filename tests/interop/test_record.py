#!/usr/bin/python3
"""`dunlin record` and `dunlin audit`: what is stored is what was published, in SQLite and in
PostgreSQL; cursors, acknowledgements and kills; databases that fail, or are somebody else's.
"""
import math
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "..", "golden"))
import batches  # noqa: E402
import decode  # noqa: E402
from support.agent import Agent, finish, program  # noqa: E402
from support.broker import Broker  # noqa: E402
from support.certificates import Authority  # noqa: E402
from support.receiver import Receiver  # noqa: E402
from support.record import Publisher, Record, Sqlite, audit, count, databases  # noqa: E402
from support.waiting import free_port, main, wait_for  # noqa: E402

STREAM = batches.STREAM
STORED_MODE = {"send": {"ack": "stored", "stored_wait": "1s"}}


def numbered(sequence, stream=STREAM, **fields):
    batch = batches.undated_batch()
    batch.sequence, batch.stream = sequence, stream
    for key, value in fields.items():
        getattr(batch, key).add(**value)
    return batch


def wait_count(database, number, what="record"):
    wait_for(lambda: count(database, what) >= number,
             lambda: f"{number} rows of {what}; there are {count(database, what)}")


def number(value):
    """To nine digits: databases print doubles in their own ways, and know no -0."""
    if value in (None, "") or not math.isfinite(float(value)):
        return ""
    return f"{float(value) + 0.0:.9g}"


class Stored(Receiver):
    """What a device sees of its cursor."""

    def cursors(self):
        with self.lock:
            return [(message.stream, message.sequence) for topic, payload, _ in self.messages
                    if topic.endswith("/stored")
                    for message in [batches.pb.Stored.FromString(payload)]]


class WhatIsStored(unittest.TestCase):
    def test_points_are_what_the_second_decoder_reads(self):
        """Random streams whose dictionaries and anchors come early, late and never. The decoder
        reads them twice, so that it too knows in the end what came late."""
        records = []
        for seed in range(6):
            stream = batches.RandomStream(seed)
            records += [("batch", stream.batch().SerializeToString()) for _ in range(20)]
        for sequence, make in ((101, batches.states_batch), (102, batches.reals_batch)):
            batch = make()
            batch.sequence = sequence
            records.append(("batch", batch.SerializeToString()))
        records += [("samples", batches.samples().SerializeToString()),
                    ("catalog", batches.catalog().SerializeToString()),
                    ("batch", batches.anchored_batch().SerializeToString())]
        reader = decode.Decoder()
        for kind, data in records:
            reader.decode(kind, "golden", data)
        expected = sorted(self.point(line) for kind, data in records
                          for line in reader.decode(kind, "golden", data)
                          if line["type"] == "point")
        for name, make in databases():
            with self.subTest(name), make() as database, Broker() as broker:
                broker.start()
                with Record(broker.port, database.url) as record, \
                        Publisher(broker.port) as publisher:
                    for kind, data in records:
                        publisher.send(kind, data)
                    wait_count(database, len(records) - 1)
                    self.assertEqual(record.terminate()[0], 0)
                self.maxDiff = 2000
                self.assertEqual(sorted(self.rows(database)), expected)

    @staticmethod
    def point(line):
        time = "" if line["time"] is None else str(line["time"])
        return (line["metric"], line["unit"] or "", number(line["value"]), line.get("state") or "",
                line.get("special") or "", time, line["stream"], str(line["seq"]))

    @staticmethod
    def rows(database):
        for row in database.query("SELECT metric, unit, value, state, special, time_ms, stream, "
                                  "sequence FROM points"):
            yield (*row[:2], number(row[2]), *row[3:])

    def test_later_anchors_date_and_later_dictionaries_name(self):
        late = batches.host_batch()  # it announces the dictionary
        late.sequence, late.boot = 2, batches.BOOT
        late.ClearField("boot_unix_ms")
        early = batches.pb.Batch()
        early.CopyFrom(late)
        early.sequence = 1
        early.ClearField("metrics")
        late.anchors.add(boot=late.boot, uptime_ms=1000, unix_ms=1767225601000)
        for name, make in databases():
            with self.subTest(name), make() as database, Broker() as broker:
                broker.start()
                with Record(broker.port, database.url) as record, \
                        Publisher(broker.port) as publisher:
                    publisher.send("batch", early)
                    wait_count(database, 1)
                    sql = "SELECT DISTINCT metric, time FROM points WHERE sequence = 1 LIMIT 1"
                    metric, time = database.query(sql)[0]
                    self.assertEqual((metric[0], time), ("#", ""))
                    code, streams, _, _ = audit("--db", database.url)
                    self.assertGreater(streams["golden"]["undated_points"], 0)
                    self.assertEqual(streams["golden"]["oldest_undated"]["seq"], 1)
                    publisher.send("batch", late)
                    wait_count(database, 2)
                    metric, time = database.query(sql)[0]
                    self.assertEqual((metric[:7], time[:4]), ("system.", "2026"))
                    code, streams, _, _ = audit("--db", database.url)
                    self.assertEqual((code, streams["golden"]["undated_points"]), (0, 0))
                    record.terminate()

    def test_hostile_payloads_are_counted_and_the_rest_is_stored(self):
        nul = numbered(2)
        nul.metrics.add(id=0, name="a\0b", unit="\0")
        nul.catalog = batches.dictionary_hash(nul.metrics)
        nul.columns[0].metric = 0
        far = numbered(3)
        far.boot_unix_ms = (1 << 53) - 1
        beyond = numbered(1 << 63)
        told = numbered(4, losses={"first": 5, "last": (1 << 64) - 1, "reason": 1})
        for name, make in databases():
            with self.subTest(name), make() as database, Broker() as broker:
                broker.start()
                with Record(broker.port, database.url) as record, \
                        Publisher(broker.port) as publisher:
                    publisher.send("samples", batches.pb.Samples(stream=STREAM, sequence=6),
                                   device="bad")  # nothing in it, and nothing before it
                    for payload in batches.HOSTILE.values():
                        publisher.send("batch", payload, device="bad")
                    publisher.send("status", b"\xff\xfe", device="bad")
                    for batch in (numbered(1), beyond, nul, far, told):
                        publisher.send("batch", batch, device="bad")
                    publisher.send("batch", numbered(1), device="good")
                    wait_count(database, 6)
                    self.assertEqual(len(database.query("SELECT * FROM points")), 5)
                    refused = len(batches.HOSTILE) + 2
                    self.assertEqual(database.query("SELECT refused FROM devices WHERE device = "
                                                    "'bad'"), [[str(refused)]])
                    code, log = record.terminate()
                    self.assertEqual(code, 0)
                    self.assertEqual(log.count("dunlin/f/bad/"), refused, log)


class Cursors(unittest.TestCase):
    def test_only_what_is_contiguous_is_told(self):
        for name, make in databases():
            with self.subTest(name), make() as database, Broker() as broker:
                broker.start()
                with Record(broker.port, database.url) as record, \
                        Stored(broker.port, "dunlin/+/+/stored") as device, \
                        Publisher(broker.port) as publisher:
                    def told(sequence):
                        wait_for(lambda: device.cursors()[-1:] == [(STREAM, sequence)],
                                 lambda: f"{sequence}: {device.cursors()}\n{record.log()}")

                    for sequence in (1, 2, 5):
                        publisher.send("batch", numbered(sequence))
                    told(2)
                    publisher.send("batch", numbered(4))
                    wait_count(database, 4)
                    publisher.send("batch", numbered(3))
                    told(5)
                    publisher.send("batch", numbered(12))
                    publisher.send("batch", numbered(11, losses={"first": 6, "last": 8,
                                                                 "reason": 1}))
                    told(8)
                    publisher.send("batch", numbered(13, losses={"first": 7, "last": 10,
                                                                 "reason": 3, "code": 1}))
                    told(13)
                    before = len(device.cursors())
                    altered = numbered(3)
                    altered.base_uptime_ms = 99
                    publisher.send("batch", altered)  # its device has not heard of it
                    wait_for(lambda: len(device.cursors()) > before, device.cursors)
                    told(13)
                    self.assertNotIn(3, [sequence for _, sequence in device.cursors()])
                    code, streams, verdict, _ = audit("--db", database.url)
                    self.assertEqual((code, verdict["complete"]), (7, False))
                    self.assertEqual({key: streams["golden"][key] for key in (
                        "complete_to", "newest", "records", "missing", "lost", "duplicates",
                        "altered")}, {"complete_to": 13, "newest": 13, "records": 8, "missing": 0,
                                      "lost": 5, "duplicates": 1, "altered": 1})
                    self.assertEqual([(x["first"], x["last"], x["reason"])
                                      for x in streams["golden"]["ledger"]],
                                     [(6, 8, "overflow"), (7, 10, "storage")])
                    self.assertEqual([row[3:6] for row in database.query(
                        "SELECT * FROM gaps ORDER BY first")],
                        [["6", "8", "overflow"], ["7", "10", "storage"]])
                    record.terminate()

    def test_a_broker_that_forgot_is_told_anew(self):
        with Sqlite() as database, Broker() as broker:
            broker.start()
            with Record(broker.port, database.url) as record:
                with Publisher(broker.port) as publisher:
                    publisher.send("batch", numbered(1))
                    wait_count(database, 1)
                broker.kill()
                broker.start()
                with Stored(broker.port, "dunlin/+/+/stored") as device:
                    wait_for(lambda: device.cursors() == [(STREAM, 1)], record.log)


class Beginnings(unittest.TestCase):
    """What a device freed before the recorder came."""

    def test_the_device_says_what_it_has_no_more(self):
        def told(sequence):
            about = batches.about()
            about.oldest_sequence = sequence
            return about

        for name, make in databases():
            with self.subTest(name), make() as database, Broker() as broker, \
                    Publisher(broker.port if broker.start() else 0) as publisher:
                publisher.send("about", told(3), retain=True)
                with Record(broker.port, database.url, "--clean") as record, \
                        Stored(broker.port, "dunlin/+/+/stored") as device:
                    def row():
                        streams = audit("--db", database.url)[1]
                        return tuple(streams.get("golden", {}).get(key) for key in
                                     ("before_recorder", "complete_to", "missing", "complete"))

                    publisher.send("batch", numbered(5))
                    wait_count(database, 1)
                    # Retained: since then it may have freed more, or told of it as lost.
                    self.assertEqual(row(), (0, 0, 4, False))
                    publisher.send("about", told(8), retain=True)
                    wait_for(lambda: row() == (4, 5, 0, True), row)
                    wait_for(lambda: device.cursors() == [(STREAM, 5)], device.cursors)
                    publisher.send("about", told(12))  # it had been there: this is a loss
                    publisher.send("batch", numbered(12))
                    wait_for(lambda: row() == (4, 5, 6, False), row)
                    publisher.send("batch", numbered(4))  # on its way all the time
                    wait_for(lambda: row() == (3, 5, 6, False), row)
                    self.assertEqual(
                        [gap[3:6] for gap in database.query("SELECT * FROM gaps ORDER BY first")],
                        [["1", "3", "before_recorder"], ["6", "11", "missing"]])
                    self.assertEqual(database.query("SELECT complete_from, complete_up_to, newest "
                                                    "FROM devices"), [["4", "5", "12"]])
                    record.terminate()

    def test_a_device_that_was_here_before_us(self):
        """The broker took its records, and nobody heard them. Then it keeps them for a recorder,
        and lets go of them when that has what there is."""
        with Sqlite() as database, Broker() as broker, Agent(broker.port if broker.start() else 0,
                                                             "early") as agent:
            agent.start()
            with Receiver(broker.port, "dunlin/+/+/batch") as receiver:
                wait_for(lambda: len(receiver.messages) > 10, agent.log)
            with Record(broker.port, database.url):
                wait_count(database, 3)
                self.assertEqual(audit("--db", database.url)[0], 7)
                agent.kill()
                agent.settings["send"] = STORED_MODE["send"]
                agent.start()
                wait_for(lambda: audit("--db", database.url)[0] == 0, agent.log)
                wait_count(database, count(database) + 5)
                self.assertEqual(agent.terminate(), 0, agent.log())
                self.assertRegex(agent.log().splitlines()[-1], "ended.* backlog=0 ")
            code, streams, _, _ = audit("--db", database.url)
            early = streams["early"]
            self.assertEqual((code, early["missing"], early["complete_to"]), (0, 0,
                                                                              early["newest"]))
            self.assertGreater(early["before_recorder"], 9)
            self.assertEqual(early["records"] + early["before_recorder"], early["newest"])


class KillsAndFailures(unittest.TestCase):
    def test_all_of_them_are_killed(self):
        """kill -9 of recorder and broker at any moment, together; ack = stored loses nothing."""
        for name, make in databases():
            with self.subTest(name), make() as database, Broker() as broker:
                broker.start()
                with Record(broker.port, database.url) as record, \
                        Agent(broker.port, settings=STORED_MODE) as agent:
                    agent.start()
                    for victims in ((record,), (broker,), (record, broker), (broker, record),
                                    (record, broker)):
                        before = count(database)
                        wait_count(database, before + 15)
                        for victim in victims:
                            victim.kill()
                        for victim in victims[::-1]:
                            victim.start(*([False] if victim is record else []))
                    finish(self, agent, InDatabase(database))
                    code, streams, _, errors = audit("--db", database.url)
                    self.assertEqual(code, 0, errors)
                    self.assertEqual(streams["bird-1"]["missing"], 0)
                    self.assertEqual(streams["bird-1"]["lost"], 0)
                    self.assertEqual(streams["bird-1"]["boots"], 1)  # one boot of this machine
                    print(f"{name}: {streams['bird-1']['records']} records, "
                          f"{streams['bird-1']['duplicates']} duplicates")

    def test_what_is_not_committed_is_not_acknowledged(self):
        """The database is locked, the recorder is killed: the broker still has the messages."""
        with Sqlite() as database, Broker() as broker:
            broker.start()
            with Record(broker.port, database.url) as record, Publisher(broker.port) as publisher:
                publisher.send("batch", numbered(1))
                wait_count(database, 1)
                with database.locked():
                    for sequence in range(2, 200):
                        publisher.send("batch", numbered(sequence))
                    record.wait_log("not stored, nothing is acknowledged, trying again: database "
                                    "is locked")
                    record.kill()
                record.start()
                wait_count(database, 199)
                self.assertEqual(audit("--db", database.url)[0], 0)

    def test_a_lock_that_goes_away(self):
        with Sqlite() as database, Broker() as broker:
            broker.start()
            with Record(broker.port, database.url) as record, Publisher(broker.port) as publisher:
                publisher.send("batch", numbered(1))
                wait_count(database, 1)
                with database.locked():
                    publisher.send("batch", numbered(2))
                    record.wait_log("database is locked")
                record.wait_log("stored again")
                wait_count(database, 2)

    def test_a_broker_that_dies_while_the_database_fails(self):
        """What waited for the database is gone with the connection; the next one is heard."""
        with Sqlite() as database, Broker() as broker:
            broker.start()
            with Record(broker.port, database.url, "-k", "5") as record:
                with Publisher(broker.port) as publisher:
                    publisher.send("batch", numbered(1))
                    wait_count(database, 1)
                with database.locked():
                    with Publisher(broker.port) as publisher:
                        publisher.send("batch", numbered(2))
                        record.wait_log("database is locked")
                    broker.kill()
                    broker.start()
                    record.wait_log("subscribed", 2)
                with Publisher(broker.port) as publisher:
                    publisher.send("batch", numbered(2))
                    wait_count(database, 2)
                record.wait_log("stored again")

    def test_a_full_disk(self):
        """The file may not grow: nothing is acknowledged; it may grow again: all is stored."""
        deaf = ("sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh")
        with Sqlite() as database, Broker() as broker:
            broker.start()
            with Record(broker.port, database.url, wrapper=deaf) as record, \
                    Publisher(broker.port) as publisher:
                publisher.send("batch", numbered(1))
                wait_count(database, 1)
                size = os.path.getsize(database.url + "-wal")
                resource.prlimit(record.process.pid, resource.RLIMIT_FSIZE, (size, -1))
                for sequence in range(2, 50):
                    publisher.send("batch", numbered(sequence))
                record.wait_log("not stored, nothing is acknowledged, trying again: disk")
                resource.prlimit(record.process.pid, resource.RLIMIT_FSIZE, (-1, -1))
                record.wait_log("stored again")
                wait_count(database, 49)
                self.assertEqual(audit("--db", database.url)[0], 0)

    def test_a_server_that_goes_away(self):
        for name, make in databases():
            if name != "postgres":
                continue
            with make() as database, Broker() as broker:
                broker.start()
                with Record(broker.port, database.url) as record, \
                        Publisher(broker.port) as publisher:
                    publisher.send("batch", numbered(1))
                    wait_count(database, 1)
                    database.kill()
                    publisher.send("batch", numbered(2))
                    record.wait_log("not stored, nothing is acknowledged")
                    database.start()
                    record.wait_log("stored again")
                    self.assertEqual(count(database), 2)


class InDatabase:
    """What finish() asks of the judge, answered by the database."""

    def __init__(self, database):
        self.database, self.until = database, None

    def count(self):
        return count(self.database)

    def newest(self):
        return int(self.database.query("SELECT max(sequence) FROM record")[0][0])

    def streams(self):
        return [row[0] for row in self.database.query("SELECT id FROM stream")]

    def missing(self, stream):
        return int(self.database.query(
            f"SELECT max(sequence) - count(*) FROM record WHERE stream = {stream}")[0][0])


class Together(unittest.TestCase):
    def test_recorders_share_the_load(self):
        """Two recorders of one group: each stores some, one is killed, the cursor is contiguous."""
        for name, make in databases():
            with self.subTest(name), make() as database, Broker() as broker:
                broker.start()
                with Record(broker.port, database.url, "--share", "g", client_id="one") as one, \
                        Record(broker.port, database.url, "--share", "g",
                               client_id="two") as two, \
                        Agent(broker.port, settings=STORED_MODE) as agent, \
                        Agent(broker.port, device="bird-2", settings=STORED_MODE) as other:
                    agent.start()
                    other.start()
                    wait_count(database, 60)
                    one.kill()
                    wait_count(database, count(database) + 60)
                    one.start()
                    wait_count(database, count(database) + 60)
                    self.assertEqual((agent.terminate(), other.terminate()), (0, 0))
                    for record in (one, two):
                        self.assertEqual(record.terminate()[0], 0)
                        self.assertGreater(record.stored(), 10)
                    code, streams, _, errors = audit("--db", database.url)
                    self.assertEqual(code, 0, f"{streams}{errors}")
                    self.assertEqual(len(streams), 2)
                    for row in database.query("SELECT complete_up_to, newest FROM devices"):
                        self.assertEqual(row[0], row[1])


class Audit(unittest.TestCase):
    def test_a_capture(self):
        lines = [f"dunlin/f/d/batch {numbered(s).SerializeToString().hex()}"
                 for s in (7, 8, 8, 11)]
        code, streams, verdict, _ = audit("--framing", "hex", "-", stdin="\n".join(lines))
        self.assertEqual((code, verdict["records"], verdict["missing"]), (7, 3, 2))
        self.assertEqual(streams["d"]["gaps"], [[9, 10]])
        self.assertEqual((streams["d"]["complete_to"], streams["d"]["duplicates"]), (8, 1))
        late = numbered(12, losses={"first": 9, "last": 10, "reason": 2})
        lines.append(f"dunlin/f/d/batch {late.SerializeToString().hex()}")
        code, streams, verdict, _ = audit("--framing", "hex", "-", stdin="\n".join(lines))
        self.assertEqual((code, verdict["missing"], verdict["lost"]), (0, 0, 2))
        self.assertEqual(streams["d"]["ledger"][0]["reason"], "damaged")
        code, _, _, errors = audit("--framing", "hex", "-",
                                   stdin="\n".join([*lines, "dunlin/f/d/batch ff"]))
        self.assertEqual(code, 6)
        self.assertIn("-: record 6 at byte", errors)

    def test_from_the_first_or_from_one(self):
        with Sqlite() as database, Broker() as broker:
            broker.start()
            with Record(broker.port, database.url), Publisher(broker.port) as publisher:
                publisher.send("batch", numbered(7))
                publisher.send("batch", numbered(8))
                wait_count(database, 2)
                code, streams, _, _ = audit("--db", database.url)
                self.assertEqual((code, streams["golden"]["gaps"]), (7, [[1, 6]]))
                self.assertEqual(streams["golden"]["complete_to"], 0)
                code, streams, _, _ = audit("--db", database.url, "--from-first")
                self.assertEqual((code, streams["golden"]["complete_to"]), (0, 8))
                code, streams, _, errors = audit("--db", database.url, "--device", "else")
                self.assertEqual((code, streams), (7, {}))
                self.assertIn("there is no stream", errors)

    def test_live_and_clock_steps(self):
        with Broker() as broker:
            broker.start()
            batch = numbered(1)
            for uptime, step in ((10, 0), (20, 5000), (30, -900)):
                batch.anchors.add(boot=batch.boot, uptime_ms=uptime,
                                  unix_ms=1767225600000 + uptime + step, cause=2 if step else 1)
            with Publisher(broker.port) as publisher:
                # Retained, and on two channels, so that it does not matter who comes first.
                publisher.send("batch", batch, retain=True)
                publisher.send("samples", decode.pb.Samples(stream=batch.stream, sequence=3),
                               retain=True)
                code, streams, _, errors = audit("-L", f"mqtt://127.0.0.1:{broker.port}", "-W", "1")
            found = streams["golden"]
            self.assertEqual((code, found["clock_steps"], found["largest_step_ms"],
                              found["gaps"]), (7, 2, 5900, [[2, 2]]), errors)

    def test_a_table(self):
        run = subprocess.run([program("dunlin"), "audit", "--format", "table", "--framing", "hex",
                              "-"], text=True, capture_output=True, check=False,
                             input=f"dunlin/f/d/batch {numbered(7).SerializeToString().hex()}\n"
                                   f"dunlin/f/d/batch {numbered(9).SerializeToString().hex()}\n")
        self.assertEqual(run.returncode, 7)
        self.assertIn("    missing 8 to 8\nNOT COMPLETE: 2 records", run.stdout)


class Refusals(unittest.TestCase):
    def check(self, code, line, *arguments, command="record"):
        run = subprocess.run([program("dunlin"), command, *arguments], text=True,
                             capture_output=True, timeout=60, check=False)
        self.assertEqual((run.returncode, run.stdout), (code, ""), run.stderr)
        self.assertIn(line, run.stderr)
        self.assertEqual(len(run.stderr.splitlines()), 1, run.stderr)

    def test_databases_of_others(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "x.db")
            with open(path, "wb") as stream:
                stream.write(b"not a database, but long enough to look like one " * 99)
            self.check(8, "x.db: file is not a database", "--db", path)
            os.remove(path)
            other = sqlite3.connect(path)
            other.execute("CREATE TABLE points (x)")
            other.commit()
            self.check(8, "x.db: a database of something else: no dunlin_schema", "--db", path)
            other.execute("CREATE TABLE dunlin_schema (version)")
            other.execute("INSERT INTO dunlin_schema VALUES (3)")
            other.commit()
            self.check(8, "schema version 3; this program knows 2: record into another "
                       "database", "--db", path)
            other.close()
            self.check(8, "none.db: unable to open database file: No such file", "--db",
                       os.path.join(folder, "none.db"), command="audit")
            self.check(8, "unable to open", "--db", os.path.join(folder, "no", "x.db"))
        for name, make in databases():
            if name == "postgres":
                with make() as database:
                    self.check(8, "the database is empty", "--db", database.url, command="audit")
                    database.query("CREATE VIEW points AS SELECT 1")
                    self.check(8, "tables of something else", "--db", database.url)
                    database.query("DROP VIEW points; CREATE TABLE dunlin_schema (version bigint);"
                                   "INSERT INTO dunlin_schema VALUES (9)")
                    self.check(8, "schema version 9; this program knows 2", "--db", database.url)
                    database.kill()
                    self.check(8, "postgresql://", "--db", database.url)

    def test_wrong_arguments(self):
        wrong = {(): "--db is needed",
                 ("--db", "postgresql://u:p@h/d"): "--db with a password in it",
                 ("--db", "postgresql://h/d?password=x"): "--db with a password in it",
                 ("--db", "x", "--share", "a/b", "-i", "x"): "--share 'a/b' is not",
                 ("--db", "x", "--share", "g"): "--share needs -i",
                 ("--db", "x", "--window", "0"): "--window: '0'",
                 ("--db", "x", "-V", "mqttv31"): "mqttv311 or mqttv5 is needed",
                 ("--db", "x", "-t", "dunlin"): "'dunlin' is not PREFIX/FLEET/DEVICE",
                 ("--db", "x", "-t", "a/b/c/config"): "no such channel",
                 ("--db", "x", "y"): "unexpected argument 'y'",
                 ("--db", "x", "--db-password-file", "/none"): "/none: No such file"}
        for arguments, line in wrong.items():
            with self.subTest(arguments):
                self.check(2, line, *arguments)
        for arguments, line in {(): "one of --db, a FILE or -L is needed",
                                ("x",): "a FILE needs --framing",
                                ("--db", "x", "x"): "one of --db",
                                ("--db", "x", "-f", "csv"): "--format 'csv'"}.items():
            with self.subTest(arguments):
                self.check(2, line, *arguments, command="audit")

    def test_a_broker_that_is_not_there(self):
        broker = f"mqtt://127.0.0.1:{free_port()}"
        self.check(3, "the broker was not reached", "-L", broker, "-W", "1", command="audit")
        with Sqlite() as database:
            self.check(3, "the broker was not reached", "-L", broker, "-W", "1", "--db",
                       database.url, "-i", "x", "--quiet")

    def test_a_broker_that_refuses(self):
        with tempfile.TemporaryDirectory() as folder, Sqlite() as database, \
                Broker(f"acl_file {folder}/acl\n") as broker:
            with open(os.path.join(folder, "acl"), "w", encoding="ascii") as stream:
                stream.write("topic read dunlin/#\n")
            os.chmod(folder, 0o755)
            broker.start()
            # Its cursor is not let through: that is said once.
            with Record(broker.port, database.url) as record:
                connection = database.connect()
                connection.execute("INSERT INTO device (prefix, fleet, device) VALUES "
                                   "('dunlin', 'f', 'd')")
                connection.execute("INSERT INTO stream (device, stream, stored, heard_ms) "
                                   "VALUES (1, 5, 7, 1)")
                connection.commit()
                connection.close()
                broker.kill()
                broker.start()
                record.wait_log("the broker does not let us publish: dunlin/f/d/stored, reason "
                                "0x87")

    def test_tls(self):
        with tempfile.TemporaryDirectory() as folder, Sqlite() as database:
            authority = Authority(folder, "own")
            pem, key = authority.issue("broker", "IP:127.0.0.1")
            other_pem, other_key = authority.issue("other", "DNS:else.example")
            for name, files, code, line in (
                    ("right", (pem, key), 0, "stored 0 records"),
                    ("wrong host", (other_pem, other_key), 5, "the certificate is another host's")):
                with self.subTest(name), Broker() as broker:
                    broker.extra = f"cafile {authority.pem}\ncertfile {files[0]}\nkeyfile " \
                                   f"{files[1]}\n"
                    broker.start()
                    run = subprocess.run(
                        [program("dunlin"), "record", "-L", f"mqtts://127.0.0.1:{broker.port}",
                         "--cafile", authority.pem, "--db", database.url, "-W", "1", "-i", "x"],
                        text=True, capture_output=True, timeout=60, check=False)
                    self.assertEqual(run.returncode, code, run.stderr)
                    self.assertIn(line, run.stderr)


if __name__ == "__main__":
    main()
