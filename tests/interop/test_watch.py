#!/usr/bin/python3
"""`dunlin watch` against a real Mosquitto: what it prints, counts and notices, its table on a
terminal, its reconnects, TLS, and how it ends.
"""
import decimal
import fcntl
import http.client
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import unittest

import paho.mqtt.client as mqtt

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "..", "golden"))
import batches  # noqa: E402
import decode  # noqa: E402
from batches import pb  # noqa: E402
from support.broker import Broker, mosquitto_path  # noqa: E402
from support.waiting import can_connect, free_port, main, wait_for  # noqa: E402

ROOT = os.path.join(HERE, "..", "..")
BUILD = os.environ.get("DUNLIN_BUILD", os.path.join(ROOT, "build", "linux"))
DUNLIN = os.path.join(BUILD, "dunlin")
DEADLINE_S = 60
HOST, STREAM = "127.0.0.1", batches.STREAM


def parse(line):
    return json.loads(line, parse_float=decimal.Decimal)


class Watch:
    """A running `dunlin watch` with its output gathered by threads."""

    def __init__(self, *arguments, env=None, wait="subscribed"):
        self.process = subprocess.Popen([DUNLIN, "watch", "-v", *arguments], text=True, bufsize=1,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env={**os.environ, **(env or {})})
        self.lines, self.errors = [], []
        self.threads = [threading.Thread(target=self._gather, args=pair, daemon=True) for pair in
                        ((self.process.stdout, self.lines), (self.process.stderr, self.errors))]
        for thread in self.threads:
            thread.start()
        if wait:
            self.expect_error(wait)

    @staticmethod
    def _gather(stream, lines):
        for line in stream:
            lines.append(line)
        stream.close()

    def expect_error(self, text, count=1):
        wait_for(lambda: "".join(self.errors).count(text) >= count
                 or (self.process.poll() is not None and not self.threads[1].is_alive()),
                 f"no '{text}' in {self.errors}")
        assert "".join(self.errors).count(text) >= count, self.errors

    def objects(self):
        return [parse(line) for line in list(self.lines)]

    def end(self, how=signal.SIGTERM):
        """(exit code, objects, text on stderr)"""
        if self.process.poll() is None and how is not None:
            self.process.send_signal(how)
        code = self.process.wait(timeout=DEADLINE_S)
        for thread in self.threads:
            thread.join()
        return code, self.objects(), "".join(self.errors)


class Publisher:
    """A device's MQTT side."""

    def __init__(self, port, **options):
        self.client = mqtt.Client(**options)
        self.client.connect(HOST, port)
        self.client.loop_start()

    def send(self, channel, message, device="golden", retain=False):
        data = message if isinstance(message, bytes) else message.SerializeToString()
        info = self.client.publish(f"dunlin/f/{device}/{channel}", data, qos=1, retain=retain)
        info.wait_for_publish(DEADLINE_S)
        assert info.is_published()

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


def numbered(sequence, stream=STREAM, **fields):
    batch = batches.undated_batch()
    batch.sequence, batch.stream = sequence, stream
    for key, value in fields.items():
        getattr(batch, key).add(**value)
    return batch


def verdict_of(objects):
    assert objects[-1]["type"] == "verdict", objects[-1:]
    return objects[-1]


@unittest.skipUnless(mosquitto_path(), "mosquitto is not installed")
class OneBroker(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = Broker().start()
        cls.url = f"mqtt://{HOST}:{cls.broker.port}"

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()

    def setUp(self):
        self.publisher = Publisher(self.broker.port)
        self.addCleanup(self.publisher.close)

    def watch(self, *arguments, **options):
        watch = Watch("-L", self.url, *arguments, **options)
        self.addCleanup(watch.end, signal.SIGKILL)
        return watch

    def test_prints_what_decode_prints(self):
        watch = self.watch("-C", "5", "--verdict", "-t", "dunlin/f/golden/#")
        reference, expected = decode.Decoder(), []
        messages = [("batch", batches.ledger_batch()), ("batch", batches.host_batch()),
                    ("batch", batches.anchored_batch()), ("samples", batches.samples()),
                    ("about", batches.about()), ("catalog", batches.catalog()),
                    ("stored", batches.stored()), ("batch", batches.undated_batch())]
        for channel, message in messages:
            data = message.SerializeToString()
            self.publisher.send(channel, data)
            expected += [parse(decode.to_json(line))
                         for line in reference.decode(channel, "golden", data)]
        code, got, errors = watch.end(how=None)
        self.assertEqual(code, 0, errors)
        self.assertEqual(got[:-1], expected)
        self.assertIn("NOT COMPLETE", errors)
        verdict = verdict_of(got)
        self.assertEqual((verdict["records"], verdict["points"], verdict["duplicates"],
                          verdict["rejected"]), (5, 28, 0, 0))

    def test_one_level_filters_and_foreign_topics(self):
        watch = self.watch("-t", "dunlin/f/solo/batch", "-t", "other/#", "-C", "1")
        self.publisher.client.publish("other/x", b"hello", qos=1).wait_for_publish()
        self.publisher.send("batch", numbered(1), device="else")
        self.publisher.send("batch", numbered(2), device="solo")
        code, got, _ = watch.end(how=None)
        self.assertEqual((code, [x["device"] for x in got]), (0, ["solo"]))

    def test_a_late_reader_gets_the_retained_catalog(self):
        self.publisher.send("catalog", batches.catalog(), device="late", retain=True)
        self.publisher.send("status", b"online", device="late", retain=True)
        watch = self.watch("-t", "dunlin/f/late/#", "-C", "1")
        self.publisher.send("batch", batches.anchored_batch(), device="late")
        code, got, _ = watch.end(how=None)
        self.assertEqual(code, 0)
        self.assertIn({"type": "status", "device": "late", "status": "online"}, got)
        self.assertEqual(got[-1]["metric"], "system.memory.usage")
        self.assertEqual(got[-1]["time"], 1767225600010)
        for channel in ("catalog", "status"):
            self.publisher.send(channel, b"", device="late", retain=True)

    def test_gaps_losses_and_duplicates(self):
        watch = self.watch("-t", "dunlin/f/gaps/#", "--verdict", "-C", "6")
        altered = numbered(3)
        altered.base_uptime_ms = 99
        for batch in (numbered(1), numbered(2), numbered(2), numbered(3), altered, numbered(9),
                      numbered(10, losses={"first": 4, "last": 5, "reason": 1}),
                      numbered(11, losses={"points": 7, "reason": 3})):
            self.publisher.send("batch", batch, device="gaps")
        code, got, errors = watch.end(how=None)
        self.assertEqual(code, 0)
        verdict = verdict_of(got)
        self.assertFalse(verdict["complete"])
        self.assertEqual(verdict["by_stream"], [{
            "device": "gaps", "stream": f"{STREAM:016x}", "first": 1, "last": 11, "records": 6,
            "points": 6, "duplicates": 2, "altered": 1, "lost": 2, "lost_points": 7, "missing": 3,
            "gaps": [[6, 8]], "complete": False}])
        self.assertEqual([x["seq"] for x in got if x["type"] == "point"], [1, 2, 3, 9, 10, 11])
        for text in ("missing 3 (6-8)", "told lost 2", "duplicates 2", "OTHER BYTES 1"):
            self.assertIn(text, errors)

    def test_streams_and_devices_are_counted_apart(self):
        watch = self.watch("-t", "dunlin/f/+/batch", "--verdict", "-C", "4", "--quiet",
                           "--format", "none", wait=None)
        while not watch.lines and watch.process.poll() is None:
            for device in ("a", "b"):
                for stream in (1, 2):
                    self.publisher.send("batch", numbered(5, stream), device=device)
        code, got, errors = watch.end(how=None)
        self.assertEqual((code, errors), (0, ""))
        self.assertEqual((got[0]["streams"], got[0]["missing"], got[0]["complete"]), (4, 0, True))

    def test_patterns_choose_devices_and_metrics(self):
        watch = self.watch("-t", "dunlin/f/#", "--device", "pump-*", "--device", "fan", "--metric",
                           "system.[cm]*", "-C", "2", "--verdict")
        for device in ("pump-1", "pumpe", "fan", "valve"):
            self.publisher.send("status", b"online", device=device)
            self.publisher.send("batch", batches.host_batch(), device=device)
        code, got, _ = watch.end(how=None)
        self.assertEqual(code, 0)
        self.assertEqual({x["device"] for x in got if "device" in x}, {"pump-1", "fan"})
        names = {x["metric"] for x in got if x["type"] == "point"}
        self.assertTrue(names and all(re.match(r"system\.[cm]", name) for name in names), names)
        self.assertEqual(verdict_of(got)["streams"], 2)

    def scrape(self, port, path="/metrics", method="GET"):
        connection = http.client.HTTPConnection(HOST, port, timeout=DEADLINE_S)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.getheader("Content-Type"), answer.read().decode()
        finally:
            connection.close()

    def test_prometheus_gets_health_and_no_history(self):
        watch = self.watch("-t", "dunlin/f/+/batch", "-t", "dunlin/f/+/status", "--device",
                           "prom-*", "--listen", "0", "--format", "none")
        port = int(re.search(r"/metrics on port (\d+)", "".join(watch.errors))[1])
        self.assertEqual(self.scrape(port)[:2], (200, "text/plain; version=0.0.4; charset=utf-8"))
        self.publisher.send("status", b"online", device="prom-1")
        self.publisher.send("status", b"offline", device="prom-2")
        for batch in (numbered(1), numbered(1), numbered(5),
                      numbered(6, losses={"first": 2, "last": 3, "reason": 1})):
            self.publisher.send("batch", batch, device="prom-1")
        wait_for(lambda: 'records_total{device="prom-1"} 3\n' in self.scrape(port)[2],
                 lambda: self.scrape(port)[2])
        text = self.scrape(port)[2]
        for line in ('dunlin_watch_connected 1', 'dunlin_device_online{device="prom-1"} 1',
                     'dunlin_device_online{device="prom-2"} 0',
                     'dunlin_device_points_total{device="prom-1"} 3',
                     'dunlin_device_duplicates_total{device="prom-1"} 1',
                     'dunlin_device_records_lost{device="prom-1"} 2',
                     'dunlin_device_records_missing{device="prom-1"} 1',
                     'dunlin_device_last_record_timestamp_seconds{device="prom-2"} 0'):
            self.assertIn(line + "\n", text)
        # Each family is told once, before its samples; each line is of the format.
        for name in re.findall(r"^# TYPE (\S+)", text, re.M):
            self.assertEqual(text.count(f"# TYPE {name} "), 1)
        for line in text.splitlines():
            self.assertRegex(line, r'^(# (HELP|TYPE) dunlin_\w+ .+|'
                                   r'dunlin_\w+({device="[^"]+"})? \d+)$')
        self.assertEqual(self.scrape(port, "/")[0], 404)
        self.assertEqual(self.scrape(port, method="DELETE")[0], 405)
        self.assertEqual(watch.end()[0], 0)

    def test_a_port_that_is_taken_or_none(self):
        with socket.create_server((HOST, 0)) as taken:
            for where, words in ((f"{HOST}:{taken.getsockname()[1]}", "Address already in use"),
                                 ("nowhere:1:", "not ADDRESS:PORT")):
                watch = self.watch("--listen", where, wait=None)
                code, _, errors = watch.end(how=None)
                self.assertEqual(code, 1)
                self.assertIn(f"--listen '{where}': {words}", errors)

    def test_hostile_payloads_are_refused_and_it_goes_on(self):
        watch = self.watch("-t", "dunlin/f/bad/#", "-C", "1", "--verdict")
        for record in batches.HOSTILE.values():
            self.publisher.send("batch", record, device="bad")
        self.publisher.send("status", b"\xff\xfe", device="bad")
        self.publisher.send("batch", numbered(1), device="bad")
        code, got, errors = watch.end(how=None)
        self.assertEqual(code, 6)
        self.assertEqual(got[0]["seq"], 1)
        self.assertEqual(verdict_of(got)["rejected"], len(batches.HOSTILE) + 1)
        self.assertIn("dunlin/f/bad/batch: ", errors)

    def test_timeout(self):
        watch = self.watch("-t", "dunlin/f/none/#", "-W", "1")
        self.assertEqual(watch.end(how=None)[0], 0)
        watch = self.watch("-t", "dunlin/f/none/#", "-W", "1", "-C", "3")
        code, _, errors = watch.end(how=None)
        self.assertEqual(code, 1)
        self.assertIn("0 of 3 records in 1 s", errors)

    def test_signals_end_it_with_a_summary(self):
        for how in (signal.SIGINT, signal.SIGTERM):
            code, _, errors = self.watch("-t", "dunlin/f/none/#").end(how)
            self.assertEqual(code, 0)
            self.assertIn("no record was received", errors)

    def test_a_reader_that_goes_away(self):
        watch = self.watch("-t", "dunlin/f/pipe/#", wait=None)
        process = subprocess.Popen([DUNLIN, "watch", "-L", self.url, "--quiet", "-t",
                                    "dunlin/f/pipe/#"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        process.stdout.close()
        sequence = 0
        while process.poll() is None:
            sequence += 1
            self.publisher.send("batch", numbered(sequence), device="pipe")
        self.assertEqual(process.returncode, -signal.SIGPIPE)
        self.assertEqual(process.stderr.read(), b"")
        process.stderr.close()
        watch.end()

    def test_other_formats_and_environment(self):
        env = {"DUNLIN_HOST": HOST, "DUNLIN_PORT": str(self.broker.port)}
        watch = Watch("-t", "dunlin/f/env/#", "-f", "csv", "-C", "1", "-V", "mqttv5", env=env)
        self.publisher.send("batch", numbered(1), device="env")
        watch.process.wait(timeout=DEADLINE_S)
        for thread in watch.threads:
            thread.join()
        self.assertEqual(watch.lines[0][:12], "time,device,")
        self.assertEqual(watch.lines[1], f",env,#7,42,,00b007ed,0,{STREAM:016x},1,,\n")


class Terminal:
    """`dunlin watch` on a pseudo-terminal."""

    def __init__(self, *arguments, env=None):
        self.master, slave = pty.openpty()
        self.resize(24, 100)
        self.process = subprocess.Popen([DUNLIN, "watch", *arguments], stdout=slave, stdin=slave,
                                        stderr=subprocess.PIPE, env={**os.environ, **(env or {})},
                                        start_new_session=True)
        os.close(slave)
        self.text = ""

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        while select.select([self.master], [], [], 0)[0]:
            try:
                self.text += os.read(self.master, 65536).decode()
            except OSError:
                break
        return self.text

    def expect(self, pattern):
        wait_for(lambda: re.search(pattern, self.read()),
                 lambda: f"{pattern} in {self.text[-3000:]!r}")

    def end(self):
        self.process.send_signal(signal.SIGINT)
        errors = self.process.stderr.read().decode()
        self.process.stderr.close()
        code = self.process.wait(timeout=DEADLINE_S)
        self.read()
        os.close(self.master)
        return code, errors


@unittest.skipUnless(mosquitto_path(), "mosquitto is not installed")
class OnATerminal(unittest.TestCase):
    def setUp(self):
        self.broker = Broker().start()
        self.addCleanup(self.broker.close)
        self.publisher = Publisher(self.broker.port)
        self.addCleanup(self.publisher.close)

    def terminal(self, env=None, *arguments):
        terminal = Terminal("-L", f"mqtt://{HOST}:{self.broker.port}", *arguments, env=env)
        terminal.expect("connected to 127.0.0.1")
        return terminal

    def test_live_table(self):
        terminal = self.terminal()
        self.publisher.send("batch", batches.host_batch())
        terminal.expect(r"golden +hw.temperature +21.5 Cel +00:00:20\b")
        self.publisher.send("batch", batches.anchored_batch())  # older values: not shown
        terminal.expect("records 2  points 23")
        self.assertNotIn("00:00:00", terminal.text)
        terminal.text = ""
        terminal.resize(5, 40)
        terminal.expect(r"5 rows, 3 below")
        for line in re.sub(r"\x1b\[[?0-9]*[A-Za-z]", "", terminal.text).split("\r\n")[:-1]:
            self.assertLessEqual(len(line), 100)
        code, errors = terminal.end()
        self.assertEqual(code, 0)
        self.assertIn("NOT COMPLETE, sequences 1 to 3: records 2, points 23, missing 1 (2)", errors)
        self.assertTrue(terminal.text.endswith("\x1b[?7h\x1b[?25h\x1b[?1049l"), terminal.text[-50:])

    def plain_rows(self, terminal):
        """The lines of the last whole picture."""
        pictures = terminal.read().split("\x1b[H")
        return re.sub(r"\x1b\[[?0-9]*[A-Za-z]", "", pictures[-2]).split("\r\n")

    def test_marks_trends_and_order(self):
        terminal = self.terminal(None, "--sort", "time", "--stale", "2")
        terminal.resize(24, 160)
        metrics = [batches.metric(0, "level", "1")]
        batch = pb.Batch(stream=1, sequence=1, boot=1, base_uptime_ms=0, boot_unix_ms=0,
                         catalog=batches.dictionary_hash(metrics))
        batch.metrics.extend(metrics)
        batches.add_column(batch, 0, batches.add_axis(batch, range(8)), list(range(8)))
        self.publisher.send("batch", batch, device="old")
        terminal.expect("old +level .*\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588")
        batch.boot_unix_ms, batch.sequence, batch.stream = 60000, 1, 2
        self.publisher.send("batch", batch, device="new")
        batch.sequence = 5
        self.publisher.send("batch", batch, device="gap")
        batch.sequence = 7
        batch.boot_unix_ms = 61000
        self.publisher.send("batch", batch, device="gap")
        terminal.expect(r"gap +level +7 1 +00:01:01 +missing")
        report = pb.ConfigReport(version=1, running=1, state=pb.CONFIG_STATE_KEPT, size_max=99)
        outcome = report.outcomes.add(key="of.tomorrow", value=1, verdict=pb.VERDICT_UNKNOWN)
        for verdict, mark in ((pb.VERDICT_UNKNOWN, "cfg part"), (pb.VERDICT_APPLIED, " ")):
            outcome.verdict = verdict
            self.publisher.send("config/reported", report, device="new")
            terminal.expect(rf"new +level +7 1 +00:01:00 +{mark}")
        report.refusal = pb.CONFIG_REFUSAL_OLD
        self.publisher.send("config/reported", report, device="new")
        terminal.expect(r"new +level +7 1 +00:01:00 +cfg no")
        self.publisher.send("status", b"offline", device="new")
        terminal.expect(r"new +level +7 1 +00:01:00 +offline")
        terminal.expect(r"old +level +7 1 +00:00:00 +stale")
        self.assertEqual([line.split()[0] for line in self.plain_rows(terminal)[1:4]],
                         ["gap", "new", "old"])
        self.assertEqual(terminal.end()[0], 0)

    def test_no_color(self):
        for env, bold in (({"NO_COLOR": ""}, True), ({"NO_COLOR": "1"}, False)):
            terminal = self.terminal(env)
            terminal.expect("DEVICE")
            terminal.end()
            self.assertEqual("\x1b[1m" in terminal.text, bold)


@unittest.skipUnless(mosquitto_path(), "mosquitto is not installed")
class Broken(unittest.TestCase):
    def test_reconnects_and_goes_on_counting(self):
        with Broker(persistent=True) as broker:
            broker.start()
            watch = Watch("-L", f"mqtt://{HOST}:{broker.port}", "-c", "-i", "watch-1", "-C", "4",
                          "--verdict")
            for round_ in range(3):
                publisher = Publisher(broker.port)
                publisher.send("batch", numbered(1 + round_))
                publisher.send("batch", numbered(1 + round_))
                publisher.close()
                if round_ < 2:
                    broker.stop()
                    watch.expect_error("connection lost, trying again", 1 + round_)
                    broker.start()
                    watch.expect_error("subscribed", 2 + round_)
            publisher = Publisher(broker.port)
            publisher.send("batch", numbered(4))
            publisher.close()
            code, got, errors = watch.end(how=None)
        self.assertEqual(code, 0, errors)
        verdict = verdict_of(got)
        self.assertEqual((verdict["records"], verdict["missing"]), (4, 0))
        self.assertGreaterEqual(verdict["duplicates"], 3)  # the broker may repeat what it had sent
        self.assertTrue(verdict["complete"])

    def test_passwords(self):
        with tempfile.TemporaryDirectory() as folder:
            users, secret = os.path.join(folder, "users"), os.path.join(folder, "secret")
            subprocess.run(["mosquitto_passwd", "-b", "-c", users, "anna", "s3cret"], check=True,
                           capture_output=True)
            with open(secret, "w", opener=lambda p, f: os.open(p, f, 0o600)) as file:
                file.write("s3cret\n")
            os.chmod(users, 0o644)
            os.chmod(folder, 0o755)
            with Broker(extra=f"allow_anonymous false\npassword_file {users}\n") as broker:
                broker.start()
                url = f"mqtt://{HOST}:{broker.port}"
                anonymous = Watch("-L", url, wait=None).end(how=None)
                wrong = Watch("-L", url, "-u", "anna", wait=None).end(how=None)
                watch = Watch("-L", url.replace("//", "//anna@"), "--password-file", secret)
                right = watch.end()
        for code, got, errors in (anonymous, wrong):
            self.assertEqual((code, got), (4, []))
            self.assertIn("the broker refused the connection: ", errors)
        self.assertEqual(right[0], 0)

    def test_nobody_there(self):
        port = free_port()
        code, got, errors = Watch("-L", f"mqtt://{HOST}:{port}", wait=None).end(how=None)
        self.assertEqual((code, got), (3, []))
        self.assertIn(f"cannot connect: 127.0.0.1 port {port}: Connection refused", errors)

    def stub(self, answer):
        """A server that takes one connection; `answer` to what came, None: hang up."""
        listener = socket.create_server((HOST, 0))
        self.addCleanup(listener.close)

        def serve():
            connection, _ = listener.accept()
            with connection:
                while data := connection.recv(4096):
                    for reply in answer(data):
                        if reply is None:
                            return
                        connection.sendall(reply)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        self.addCleanup(thread.join)
        return f"mqtt://{HOST}:{listener.getsockname()[1]}"

    def test_refused_subscription(self):
        def answer(data):
            if data[0] == 0x10:
                return [b"\x20\x02\x00\x00"]
            return [b"\x90\x03" + data[2:4] + b"\x80"] if data[0] == 0x82 else []

        code, _, errors = Watch("-L", self.stub(answer), wait=None).end(how=None)
        self.assertEqual(code, 4)
        self.assertIn("the broker refused the subscription", errors)

    def test_a_server_that_hangs_up_or_speaks_something_else(self):
        for replies in ([None], [b"HTTP/1.1 400 Bad Request\r\n\r\n", None]):
            url = self.stub(lambda _, replies=replies: replies)
            code, _, errors = Watch("-L", url, wait=None).end(how=None)
            self.assertEqual(code, 3)
            self.assertIn("cannot connect", errors)


def openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def certificates(folder):
    """A CA, a certificate of it for localhost, and a CA of somebody else."""
    for name in ("ca", "other"):
        openssl(folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")
    openssl(folder, "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout",
            "server.key", "-out", "server.csr")
    with open(os.path.join(folder, "san"), "w", encoding="ascii") as file:
        file.write("subjectAltName=DNS:localhost\n")
    openssl(folder, "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "2", "-extfile", "san", "-out", "server.pem")
    for name in os.listdir(folder):
        os.chmod(os.path.join(folder, name), 0o644)
    os.chmod(folder, 0o755)


@unittest.skipUnless(mosquitto_path() and shutil.which("openssl"),
                     "mosquitto or openssl is not installed")
class Tls(unittest.TestCase):
    def test_tls(self):
        with tempfile.TemporaryDirectory() as folder, Broker() as broker:
            certificates(folder)
            port = free_port()
            broker.extra = (f"listener {port} 127.0.0.1\ncertfile {folder}/server.pem\n"
                            f"keyfile {folder}/server.key\n")
            broker.start()
            wait_for(lambda: can_connect(port), "the TLS listener")
            ca = ["--cafile", f"{folder}/ca.pem"]
            right = Watch("-L", f"mqtts://localhost:{port}", *ca).end()
            self.assertEqual(right[0], 0, right)
            wrong = {"other CA": ["-L", f"mqtts://localhost:{port}", "--cafile",
                                  f"{folder}/other.pem"],
                     "system's CAs": ["-L", f"mqtts://localhost:{port}"],
                     "other name": ["-L", f"mqtts://127.0.0.1:{port}", *ca],
                     "no such file": ["-L", f"mqtts://localhost:{port}", "--cafile", "/none"],
                     "not a TLS port": ["-L", f"mqtts://localhost:{broker.port}", *ca]}
            for name, arguments in wrong.items():
                with self.subTest(name):
                    code, got, errors = Watch(*arguments, wait=None).end(how=None)
                    self.assertEqual(got, [])
                    self.assertIn(code, (5, 3) if name == "not a TLS port" else (5,), errors)
                    self.assertIn("/none: No such file" if name == "no such file" else "",
                                  errors)


class CommandLine(unittest.TestCase):
    def test_wrong_arguments_have_their_own_line(self):
        wrong = {("-P", "x"): "-P: every user of this machine could read it; use --password-file",
                 ("--psk", "x"): "--psk: every user of this machine could read it",
                 ("-L", "mqtt://u:p@h"): "-L with a password in it",
                 ("-L", "http://h"): "-L 'http://h' does not begin with mqtt:// or mqtts://",
                 ("-L", "mqtt://"): "names no host", ("-L", "mqtt://:1"): "names no host",
                 ("-L", "mqtt://[::1"): "names no host", ("-L", "mqtt://@h"): "names no user",
                 ("-L", "mqtt://h:"): "names no port after ':'",
                 ("-L", "mqtt://h:0"): "-L port: '0' is not a whole number from 1 to 65535",
                 ("-p", "70000"): "-p: '70000' is not a whole number from 1 to 65535",
                 ("-q", "3"): "-q: '3' is not a whole number from 0 to 2",
                 ("-k", "4"): "-k: '4'", ("-C", "-1"): "-C: '-1'", ("-C", ""): "-C: ''",
                 ("-W", "1s"): "-W: '1s'", ("-V", "6"): "-V '6' is not mqttv31",
                 ("-f", "yaml"): "--format 'yaml'", ("dunlin/#",): "a filter goes after -t",
                 ("--cert", "x"): "--cert and --key belong together",
                 ("--cert", "x", "--key", "y"): "--cert needs --cafile or --capath",
                 ("--psk-identity", "x"): "--psk-identity and --psk-file belong together",
                 ("-c",): "-c needs -i", ("--password-file", "/none"): "--password-file needs -u",
                 ("-u", "x", "--password-file", "/none"): "/none: No such file",
                 ("-t", "a/#/b"): "not a topic filter: a/#/b",
                 ("-i", ""): "--id must not be empty", ("--tls-alpn", "x"): "needs TLS",
                 ("--topic",): "--topic needs a value", ("-h", ""): "-h '' is not a host name"}
        for arguments, line in wrong.items():
            done = subprocess.run([DUNLIN, "watch", *arguments], capture_output=True, text=True,
                                  timeout=DEADLINE_S, check=False)
            with self.subTest(arguments):
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertIn(line, done.stderr)
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_bad_port_in_the_environment(self):
        done = subprocess.run([DUNLIN, "watch"], capture_output=True, text=True, timeout=DEADLINE_S,
                              env={**os.environ, "DUNLIN_PORT": "x"}, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("$DUNLIN_PORT: 'x'", done.stderr)

    def test_an_empty_variable_is_not_set(self):
        empty = dict.fromkeys(("DUNLIN_HOST", "DUNLIN_PORT", "DUNLIN_USERNAME",
                               "DUNLIN_PASSWORD_FILE"), "")
        done = subprocess.run([DUNLIN, "watch", "-p", str(free_port())], capture_output=True,
                              text=True, timeout=DEADLINE_S, env={**os.environ, **empty},
                              check=False)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("cannot connect: localhost port", done.stderr)


if __name__ == "__main__":
    main()
