#!/usr/bin/python3
"""`dunlin simulate` against a real Mosquitto: what it says of a fleet is what another reader sees,
faults lose nothing, what is lost is told, and each wrong beginning has its line and exit code.
"""
import collections
import json
import os
import pty
import resource
import signal
import subprocess
import sys
import tempfile
import unittest

import paho.mqtt.client as mqtt

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "..", "..", "tools"))
import decode  # noqa: E402
from support.broker import Broker, mosquitto_path  # noqa: E402
from support.certificates import Authority  # noqa: E402
from support.waiting import free_port, main, wait_for  # noqa: E402

ROOT = os.path.join(HERE, "..", "..")
BUILD = os.environ.get("DUNLIN_BUILD", os.path.join(ROOT, "build", "linux"))
DUNLIN = os.path.join(BUILD, "dunlin")
LIMIT_S = 120
QUICK = ("--batch-age", "500ms", "--interval", "100ms")


def simulate(*arguments, **options):
    return subprocess.Popen([DUNLIN, "simulate", "-h", "127.0.0.1", "-f", "json", *arguments],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def end(process):
    """(exit code, the summary or None, text on stderr)"""
    out, errors = process.communicate(timeout=LIMIT_S)
    return process.returncode, json.loads(out) if out else None, errors


def run(*arguments, **options):
    return end(simulate(*arguments, **options))


class Reader:
    """Another subscriber, which knows only the .proto."""

    def __init__(self, port, filter_="dunlin/#"):
        self.payloads = []  # (topic, payload, retained)
        self.ready = False
        self.client = mqtt.Client()
        self.client.on_message = lambda _c, _u, message: self.payloads.append(
            (message.topic, message.payload, message.retain))
        self.client.on_subscribe = lambda *_: setattr(self, "ready", True)
        self.client.connect("127.0.0.1", port)
        self.client.subscribe(filter_, 1)
        self.client.loop_start()
        wait_for(lambda: self.ready, "no subscription")

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()

    def points(self):
        """{(device, metric): values in the order of their sampling}, and the set of records."""
        found = collections.defaultdict(dict)
        records = set()
        for topic, payload, _ in list(self.payloads):
            if not topic.endswith("/batch"):
                continue
            device = topic.split("/")[2]
            batch = decode.pb.Batch.FromString(payload)
            records.add((batch.stream, batch.sequence))
            for metric, uptimes, values in decode.expand(batch):
                found[device, metric].update(zip(((batch.boot, t) for t in uptimes), values))
        return {key: [values[when] for when in sorted(values)] for key, values in found.items()}, \
            records


class Fleet(unittest.TestCase):
    broker = None

    @classmethod
    def setUpClass(cls):
        cls.broker = Broker(persistent=True).start()
        cls.port = str(cls.broker.port)

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()

    def complete(self, *arguments):
        code, summary, errors = run("-p", self.port, *arguments)
        self.assertEqual((code, errors), (0, ""), summary)
        self.assertTrue(summary["complete"])
        self.assertEqual(summary["audit"]["missing"], 0)
        self.assertEqual(summary["audit"]["received"], summary["audit"]["recorded"])
        return summary

    def test_faults_lose_nothing(self):
        """The small form of the fleet of 10,000: cuts, lost acks, reboots, clocks, a storm."""
        summary = self.complete(
            "-i", "faulty", "-n", "200", "-d", "8s", "--profile", "meter:3,motor:1,tracker:1",
            "--connect-rate", "200", "--batch-age", "1s", "--interval", "200ms", "--cut-for", "1s",
            "--cuts", "10/s", "--reboots", "5/s", "--lost-acks", "5/s", "--clock-jumps", "60/m",
            "--silences", "1/s", "--storm", "3s+500ms")
        audit, faults = summary["audit"], summary["faults"]
        self.assertEqual(audit["streams"], 200)
        self.assertEqual((audit["altered"], audit["points_missing"], audit["told_lost"]), (0, 0, 0))
        self.assertGreater(audit["duplicates"], 0)
        self.assertTrue(all(faults.values()), faults)
        self.assertGreater(summary["connections"]["reconnects"], 200)
        self.assertEqual(summary["connections"]["storms_back"], 1)
        self.assertLess(summary["cost"]["state_a_device"], 4096)

    def test_another_reader_sees_the_same(self):
        reader = Reader(self.broker.port, "dunlin/seen/#")
        summary = self.complete("-t", "dunlin/seen", "-n", "30", "-d", "3s", *QUICK)
        wait_for(lambda: len(reader.points()[1]) >= summary["audit"]["received"], "records")
        reader.close()
        points, records = reader.points()
        self.assertEqual(len(records), summary["audit"]["received"])
        self.assertEqual(sum(map(len, points.values())), summary["audit"]["points"])
        self.assertEqual(len(points), 30 * 5)

    def test_a_seed_gives_the_same_values(self):
        seen = []
        for seed in ("7", "7", "8"):
            reader = Reader(self.broker.port, "dunlin/seeded/#")
            summary = self.complete("-t", "dunlin/seeded", "-n", "4", "-d", "2s", "--seed", seed,
                                    *QUICK)
            wait_for(lambda r=reader, s=summary: len(r.points()[1]) >= s["audit"]["received"],
                     "records")
            reader.close()
            seen.append({key: values[:10] for key, values in reader.points()[0].items()})
        self.assertEqual(seen[0], seen[1])
        self.assertNotEqual(seen[0], seen[2])
        self.assertEqual({len(values) for values in seen[0].values()}, {10})

    def test_retained_messages_are_taken_away(self):
        for arguments, left in (((), 0), (("--keep",), 2 * 3)):
            self.complete("-t", "dunlin/kept", "-n", "2", "-d", "1s", *QUICK, *arguments)
            reader = Reader(self.broker.port, "dunlin/kept/#")
            mark = Reader(self.broker.port, "dunlin/mark")  # what was retained came before it
            mark.client.publish("dunlin/mark", "x", 1)
            wait_for(lambda m=mark: m.payloads, "the mark")
            wait_for(lambda r=reader, n=left: len(r.payloads) >= n, "retained messages")
            self.assertEqual(len(reader.payloads), left)
            reader.close()
            mark.close()

    def test_rows_and_an_old_protocol(self):
        summary = self.complete("-i", "old", "-n", "10", "-d", "2s", "--encoding", "plain", "-V",
                                "mqttv311", "--log-size", "16384", *QUICK)
        self.assertGreater(summary["audit"]["points"], 500)

    def test_a_broker_that_restarts(self):
        with Broker(persistent=True) as broker:
            broker.start()
            process = simulate("-p", str(broker.port), "-n", "50", "-d", "6s", "-i", "restart",
                               *QUICK)
            reader = Reader(broker.port)
            wait_for(lambda: len(reader.payloads) > 300, "records")
            reader.close()
            broker.stop()
            broker.start()
            code, summary, errors = end(process)
        self.assertEqual((code, errors), (0, ""), summary)
        self.assertGreaterEqual(summary["connections"]["reconnects"], 50)
        self.assertEqual(summary["audit"]["subscriber_losses"], 1)

    def test_it_ends_when_it_is_asked_to(self):
        process = simulate("-p", self.port, "-n", "20", "-d", "1h", "-t", "dunlin/asked",
                           *QUICK)
        reader = Reader(self.broker.port, "dunlin/asked/+/batch")
        wait_for(lambda: len(reader.payloads) > 100, "records")
        reader.close()
        process.send_signal(signal.SIGINT)
        code, summary, _ = end(process)
        self.assertEqual(code, 0, summary)
        self.assertGreater(summary["audit"]["received"], 0)

    def test_what_nobody_stores_is_not_delivered(self):
        code, summary, _ = run("-p", self.port, "-n", "5", "-d", "1s", "-i", "stored", "--ack",
                               "stored", "--drain", "1s", *QUICK)
        self.assertEqual(code, 7, summary)
        self.assertFalse(summary["delivery"]["drained"])
        self.assertGreater(summary["delivery"]["waiting"], 0)

    def test_progress_is_for_terminals(self):
        outer, inner = pty.openpty()
        process = subprocess.Popen([DUNLIN, "simulate", "-p", self.port, "-h", "127.0.0.1", "-n",
                                    "3", "-d", "2s", "-i", "seen"], stdout=subprocess.PIPE,
                                   stderr=inner, text=True)
        os.close(inner)
        table = process.communicate(timeout=LIMIT_S)[0]
        shown = os.read(outer, 65536).decode()
        os.close(outer)
        self.assertEqual(process.returncode, 0)
        self.assertIn("up 3 of 3", shown)
        self.assertRegex(table, r"complete +yes")

    def test_too_few_descriptors(self):
        code, _, errors = run("-p", self.port, "-n", "200", preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_NOFILE, (100, 100)))
        self.assertEqual(code, 1)
        self.assertIn("need 264 descriptors and this process may have 100", errors)


class Refused(unittest.TestCase):
    def test_a_broker_that_drops_what_it_acknowledged(self):
        """Mosquitto tells a 3.1.1 client that it took what its ACL forbids; the audit knows."""
        with tempfile.NamedTemporaryFile("w", suffix=".acl") as acl:
            acl.write("topic readwrite dunlin/open/#\ntopic readwrite dunlin/half/sim-00001/#\n"
                      "topic read dunlin/half/#\ntopic write dunlin/half/+/status\n")
            acl.flush()
            os.chmod(acl.name, 0o600)
            # Without a limit to its queues this Mosquitto hangs up on whom its ACL refuses.
            extra = f"acl_file {acl.name}\nmax_queued_messages 100000\n"
            with Broker(extra=extra) as broker:
                broker.start()
                port = ("-p", str(broker.port), "-n", "2", "-d", "1s", *QUICK)
                code, summary, _ = run(*port, "-t", "dunlin/half", "-V", "mqttv311")
                self.assertEqual(code, 7, summary)
                self.assertTrue(summary["delivery"]["drained"])
                self.assertEqual(summary["audit"]["incomplete"], 1)
                self.assertEqual(summary["audit"]["example"], "sim-00002")
                self.assertEqual(summary["audit"]["missing"], summary["audit"]["received"])
                code, summary, _ = run(*port, "-t", "dunlin/open", "-V", "mqttv311")
                self.assertEqual(code, 0, summary)

    def test_unreachable_and_refused(self):
        code, summary, errors = run("-p", str(free_port()), "-d", "1s")
        self.assertEqual((code, summary), (3, None))
        self.assertIn("Connection refused", errors)
        with tempfile.NamedTemporaryFile("w") as password, tempfile.NamedTemporaryFile("w") as file:
            subprocess.run(["mosquitto_passwd", "-b", "-c", password.name, "sim-00001", "right"],
                           check=True, capture_output=True)
            subprocess.run(["mosquitto_passwd", "-b", password.name, "auditor", "right"],
                           check=True, capture_output=True)
            os.chmod(password.name, 0o600)
            file.write("right\n")
            file.flush()
            extra = f"allow_anonymous false\npassword_file {password.name}\n"
            with Broker(extra=extra) as broker:
                broker.start()
                port = ("-p", str(broker.port), "-n", "1", "-d", "1s", *QUICK)
                code, _, errors = run(*port)
                self.assertEqual(code, 4)
                self.assertIn("refused", errors)
                code, summary, errors = run(*port, "-u", "%d", "--password-file", file.name,
                                            "--audit-user", "auditor", "--audit-password-file",
                                            file.name)
                self.assertEqual((code, errors), (0, ""), summary)

    def test_tls(self):
        with tempfile.TemporaryDirectory() as folder:
            own, other = Authority(folder, "own"), Authority(folder, "other")
            certificate, key = own.issue("broker", san="DNS:localhost,IP:127.0.0.1")
            client, client_key = own.issue("client")
            extra = (f"cafile {own.pem}\ncertfile {certificate}\nkeyfile {key}\n"
                     "require_certificate true\n")
            with Broker(extra=extra) as broker:
                broker.start()
                port = ("-p", str(broker.port), "-n", "5", "-d", "2s", "--cuts", "2/s",
                        "--cut-for", "100ms", *QUICK, "--cert", client, "--key", client_key)
                code, summary, errors = run(*port, "--cafile", own.pem)
                self.assertEqual((code, errors), (0, ""), summary)
                self.assertEqual(run(*port, "--cafile", other.pem)[0], 5)
                self.assertEqual(run(*port, "--cafile", folder + "/none")[0], 5)

    def test_wrong_arguments(self):
        for arguments, word in ((("-n", "0"), "-n"), (("--profile", "bird"), "bird"),
                                (("--profile", "meter:2x"), "WEIGHT"),
                                (("--cuts", "2/d"), "2/d"), (("--storm", "+3s"), "--storm"),
                                (("-d", "-1s"), "--duration"), (("-t", "dunlin"), "PREFIX/FLEET"),
                                (("-i", "a b"), "-i"), (("-V", "mqttv31"), "-V"),
                                (("-P", "x"), "-P"), (("more",), "more"),
                                (("--log-size", "9"), "--log-size"),
                                (("-u", "%d"), "--audit-user"), (("--seed", ""), "--seed")):
            code, summary, errors = run(*arguments)
            self.assertEqual((code, summary), (2, None), arguments)
            self.assertEqual(errors.count("\n"), 1, errors)
            self.assertIn(word, errors)


if __name__ == "__main__":
    if mosquitto_path() is None:
        print("SKIPPED tools.simulate: no mosquitto here")
        sys.exit(77)
    main()
