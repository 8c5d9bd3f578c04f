#!/usr/bin/python3
"""The contract of src/uplink.h, kept by both uplinks: real Mosquitto, a proxy with faults, and a
broker that lies. A case that one uplink cannot keep is skipped there and says why; the table in
transport/README.md has a row for each.
"""
import os
import re
import shutil
import signal
import socket
import tempfile
import unittest

from support import wire
from support.broker import Broker
from support.broker_stub import Stub
from support.certificates import Authority
from support.proxy import Fault, Proxy
from support.receiver import Receiver
from support.uplink import Scripted, Uplink, payload
from support.waiting import free_port, main, wait_for

AGAIN, INVALID, TOO_LARGE, CLOSED, PROTOCOL, REFUSED = -3, -5, -6, -8, -9, -10
TIMEOUT, UNREACHABLE, BUSY, UNSUPPORTED = -11, -12, -13, -14
TLS_NAME, TLS_DATE, TLS_CA = -17, -18, -19
WINDOW = 32
INBOUND_MAX = 4096
LONG_RUN = 20000  # messages
V3_ACCEPTED, V5_ACCEPTED = b"\0\0", b"\0\0\0"


def property_bytes(*properties):
    joined = b"".join(properties)
    return bytes([len(joined)]) + joined


def received(log, client="contract"):
    """(dup, packet id, topic) of each PUBLISH of the client that Mosquitto notes."""
    return [(match[1] == "1", int(match[2]), match[3]) for match in re.finditer(
        rf"Received PUBLISH from {client} \(d(\d), q\d, r\d, m(\d+), '([^']*)'", log)]


class Case(unittest.TestCase):
    """What a test needs, ended when it ends."""

    def enter(self, manager):
        manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return manager

    def broker(self, extra="", **options):
        return self.enter(Broker(extra, **options)).start()

    def uplink(self, *options):
        return self.enter(Uplink(self.kind, *options))

    def scripted(self, *connacks):
        return self.enter(Scripted(*connacks))

    def receiver(self, broker, topics="#"):
        return self.enter(Receiver(broker.port, topics))


class Both(Case):
    def each(self):
        """A fresh uplink for each version."""
        for version in (4, 5):
            yield version, self.uplink()


class Connecting:
    def test_up_and_down_and_up_again(self):
        broker = self.broker()
        for version, uplink in self.each():
            for _ in range(3):
                self.assertEqual(uplink.up(broker.port, version, clean=1)[1], "0")
                uplink.close()
            self.assertEqual(uplink.end(), 0)

    def test_a_session_is_resumed(self):
        broker = self.broker()
        for version, uplink in self.each():
            keys = {"id": f"resumed{version}"}
            self.assertEqual(uplink.up(broker.port, version, **keys)[1], "0")
            uplink.close()
            self.assertEqual(uplink.up(broker.port, version, **keys)[1], "1")
            uplink.close()
            self.assertEqual(uplink.up(broker.port, version, clean=1, **keys)[1], "0")

    def test_refused_credentials(self):
        broker = self.broker("password_file /dev/null\nallow_anonymous false\n")
        for version, uplink in self.each():
            uplink.open(broker.port, version, user="me", password="guess")
            self.assertEqual(uplink.wait_down()[:2], (REFUSED, 5 if version == 4 else 0x87))

    def test_busy_until_down_is_told(self):
        for version, uplink in self.each():
            with socket.create_server(("127.0.0.1", 0)) as hole:
                uplink.open(hole.getsockname()[1], version)
                uplink.say(f"open 127.0.0.1 1 version={version}")
                uplink.wait(f"open {BUSY}")

    def test_nobody_listens(self):
        for version, uplink in self.each():
            port = free_port()
            for _ in range(3):
                uplink.open(port, version)
                self.assertEqual(uplink.wait_down()[:2], (UNREACHABLE, 0))

    def test_a_broker_that_never_answers(self):
        """And the agent is not held up meanwhile; a later broker is reached all the same."""
        broker = self.broker()
        for version, uplink in self.each():
            with socket.create_server(("127.0.0.1", 0)) as hole:
                uplink.open(hole.getsockname()[1], version, timeout=500)
                uplink.pong()
                self.assertEqual(uplink.wait_down()[:2], (TIMEOUT, 0))
                uplink.up(broker.port, version)

    def test_closed_while_it_connects(self):
        broker = self.broker()
        for version, uplink in self.each():
            with socket.create_server(("127.0.0.1", 0)) as hole:
                uplink.open(hole.getsockname()[1], version)
                uplink.close()
                self.assertEqual(uplink.up(broker.port, version, clean=1)[1], "0")
                self.assertNotIn("down", "".join(uplink.lines))
                self.assertEqual(uplink.end(), 0)

    def test_ends_while_it_connects(self):
        for version, uplink in self.each():
            with socket.create_server(("127.0.0.1", 0)) as hole:
                uplink.open(hole.getsockname()[1], version)
                self.assertEqual(uplink.end(), 0)

    def test_an_old_broker(self):
        stub = self.enter(Stub(self.enter_folder(), "--old")).start()
        uplink = self.uplink()
        uplink.open(stub.port, 5)
        self.assertEqual(uplink.wait_down()[0], UNSUPPORTED)
        uplink.up(stub.port, 4)

    def enter_folder(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return folder.name

    def test_wrong_configuration(self):
        uplink = self.uplink()
        for words in ("open 127.0.0.1 1 password=x", "open 127.0.0.1 1 will=a/#",
                      "open 127.0.0.1 1 version=4 id="):
            uplink.say(words)
            self.assertLess(int(uplink.wait(r"open (-?\d+)")[1]), 0, words)

    def test_session_present_lies(self):
        for version, uplink in self.each():
            liar = self.scripted(b"\1\0" if version == 4 else b"\1\0\0")
            uplink.open(liar.port, version, clean=1)
            self.assertEqual(uplink.wait_down()[:2], (PROTOCOL, 0))

    def test_a_keepalive_that_the_broker_names(self):
        broker = self.scripted(b"\0\0" + property_bytes(b"\x13\0\2"))
        uplink = self.uplink()
        uplink.up(broker.port, 5, keepalive=600)
        wait_for(lambda: broker.pings >= 2, "pings every two seconds")


class Publishing:
    def test_acks_carry_tokens_and_order_is_kept(self):
        broker = self.broker()
        receiver = self.receiver(broker)
        for version, uplink in self.each():
            topic = f"order/{version}"
            uplink.up(broker.port, version)
            for token in range(WINDOW):
                self.assertEqual(uplink.publish(token, topic, size=token), 0)
            wait_for(lambda: len(uplink.acks()) == WINDOW, lambda: uplink.lines)
            self.assertEqual(uplink.acks(), list(range(WINDOW)))
            wait_for(lambda: len([m for m in receiver.messages if m[0] == topic]) == WINDOW,
                     lambda: receiver.messages)
            self.assertEqual([m[1] for m in receiver.messages if m[0] == topic],
                             [payload(token, token) for token in range(WINDOW)])

    def test_the_window(self):
        broker = self.broker()
        for version, uplink in self.each():
            uplink.up(broker.port, version)
            os.kill(broker.process.pid, signal.SIGSTOP)
            for token in range(WINDOW):
                self.assertEqual(uplink.publish(token), 0)
            self.assertEqual(uplink.publish(99), AGAIN)
            os.kill(broker.process.pid, signal.SIGCONT)
            wait_for(lambda: len(uplink.acks()) == WINDOW, lambda: uplink.lines)
            self.assertEqual(uplink.publish(99), 0)
            self.assertLess(uplink.wait_acked(99), 0x80)

    def test_receive_maximum(self):
        broker = self.scripted(b"\0\0" + property_bytes(b"\x21\0\2"))
        uplink = self.uplink()
        uplink.up(broker.port, 5)
        self.assertEqual([uplink.publish(token) for token in (1, 2, 3)], [0, 0, AGAIN])
        _, body = broker.wait(wire.PUBLISH)
        broker.send(wire.PUBACK, body[3:5])
        uplink.wait_acked(1)
        self.assertEqual([uplink.publish(token) for token in (3, 4)], [0, AGAIN])

    def test_what_the_broker_does_not_grant(self):
        terms = property_bytes(b"\x24\0", b"\x25\0", b"\x27\0\0\0\x40")
        broker = self.scripted(b"\0\0" + terms)
        uplink = self.uplink()
        self.assertEqual(uplink.up(broker.port, 5).groups(), ("0", "64", "0", "0"))
        self.assertEqual(uplink.publish(1), UNSUPPORTED)
        self.assertEqual(uplink.publish(1, size=64, qos=0), TOO_LARGE)
        self.assertEqual(uplink.publish(1, qos=0, retain=1), 0)
        self.assertEqual(broker.wait(wire.PUBLISH)[0], 0)

    def test_topics(self):
        broker = self.broker()
        uplink = self.uplink()
        self.assertEqual(uplink.publish(1), CLOSED)
        uplink.up(broker.port, 5)
        self.assertEqual(uplink.publish(1, "a/#"), INVALID)
        self.assertEqual(uplink.result("subscribe a/#/b"), INVALID)
        self.assertEqual(uplink.publish(1, "a" * 200), 0)

    def test_qos_0_and_retained(self):
        broker = self.broker()
        for version, uplink in self.each():
            uplink.up(broker.port, version)
            self.assertEqual(uplink.publish(1, f"kept/{version}", qos=0, retain=1), 0)
            self.assertEqual(uplink.publish(2, f"kept/q1/{version}", size=0, retain=1), 0)
            self.assertEqual(uplink.publish(3, f"passed/{version}"), 0)
            uplink.wait_acked(3)
        late = self.receiver(broker)
        wait_for(lambda: len(late.messages) >= 2, "the retained messages")
        self.assertEqual({(message[0], message[2]) for message in late.messages},
                         {("kept/4", True), ("kept/5", True)})

    def test_properties(self):
        broker = self.scripted(V5_ACCEPTED)
        uplink = self.uplink()
        uplink.up(broker.port, 5)
        uplink.publish(1, content_type="application/protobuf")
        self.assertIn(b"\x03\0\x14application/protobuf", broker.wait(wire.PUBLISH)[1])

    def test_a_refused_message(self):
        broker = self.scripted(V5_ACCEPTED)
        uplink = self.uplink()
        uplink.up(broker.port, 5)
        uplink.publish(7)
        _, body = broker.wait(wire.PUBLISH)
        broker.send(wire.PUBACK, body[3:5] + b"\x83\0")
        self.assertEqual(uplink.wait_acked(7), 0x83)

    def test_an_ack_of_nothing(self):
        for version, uplink in self.each():
            broker = self.scripted(V3_ACCEPTED if version == 4 else V5_ACCEPTED)
            uplink.up(broker.port, version)
            uplink.publish(1)
            _, body = broker.wait(wire.PUBLISH)
            broker.send(wire.PUBACK, b"\x55\x55")
            broker.send(wire.PUBACK, body[3:5])
            uplink.wait_acked(1)
            broker.send(wire.PUBACK, body[3:5])
            self.assertEqual(uplink.publish(2), 0)
            broker.wait(wire.PUBLISH)
            uplink.pong()
            self.assertEqual(uplink.acks(), [1])


class Losing:
    def test_a_killed_broker_gets_the_same_tokens_again(self):
        for version, uplink in self.each():
            broker = self.broker()
            receiver = self.receiver(broker)
            uplink.up(broker.port, version)
            uplink.publish(99)
            uplink.wait_acked(99)
            os.kill(broker.process.pid, signal.SIGSTOP)
            for token in (5, 6, 7):
                self.assertEqual(uplink.publish(token), 0)
            receiver.__exit__()
            broker.kill()
            self.assertEqual(uplink.wait_down()[1], 0)
            self.assertEqual(uplink.publish(5), CLOSED)
            broker.start()
            receiver = self.receiver(broker)
            self.assertEqual(uplink.up(broker.port, version)[1], "0")
            for token in (5, 6, 7):
                self.assertEqual(uplink.publish(token), 0)
            wait_for(lambda: uplink.acks() == [5, 6, 7], lambda: uplink.lines)
            wait_for(lambda: len(receiver.messages) == 3, lambda: receiver.messages)
            self.assertEqual([m[1] for m in receiver.messages], [payload(t, 20) for t in (5, 6, 7)])

    def lose_acks(self, version, uplink):
        """A connection on which 1, 2 and 3 reach the broker and no answer comes back."""
        broker = self.broker("log_type all\n")
        proxy = self.enter(Proxy(broker.port))
        proxy.plan.put(Fault(hold_down_after=4))  # the CONNACK is one piece
        uplink.up(proxy.port, version)
        for token in (1, 2, 3):
            self.assertEqual(uplink.publish(token), 0)
        wait_for(lambda: len(received(broker.log())) == 3, broker.log)
        proxy.cut_all()
        uplink.wait_down()
        uplink.pong()
        self.assertEqual(uplink.acks(), [])
        return broker, proxy

    def test_after_lost_acks_all_is_published_once_more(self):
        """In the kept session with the old packet ids and DUP; or all of it in a new session."""
        for version, uplink in self.each():
            broker, proxy = self.lose_acks(version, uplink)
            kept = uplink.up(proxy.port, version)[1] == "1"
            self.assertEqual(kept, self.kind == "mqtt")
            for token in (1, 2, 3, 4):
                self.assertEqual(uplink.publish(token), 0)
            wait_for(lambda: uplink.acks() == [1, 2, 3, 4], lambda: uplink.lines)
            first, again = received(broker.log())[:3], received(broker.log())[3:]
            self.assertEqual([dup for dup, _, _ in again], [kept] * 3 + [False])
            if kept:
                self.assertEqual([one[1] for one in again[:3]], [one[1] for one in first])

    def test_a_token_may_be_another_message_then(self):
        """The log dropped what had it: no ack of the old one counts for the new one."""
        for version, uplink in self.each():
            broker, proxy = self.lose_acks(version, uplink)
            uplink.up(proxy.port, version)
            self.assertEqual(uplink.publish(2, "other"), 0)
            uplink.wait_acked(2)
            self.assertIn("other", [topic for _, _, topic in received(broker.log())])

    def test_an_ack_that_does_not_come(self):
        for version, uplink in self.each():
            broker = self.broker()
            uplink.up(broker.port, version, ack_timeout=700)
            os.kill(broker.process.pid, signal.SIGSTOP)
            uplink.publish(1)
            self.assertEqual(uplink.wait_down()[:2], (TIMEOUT, 0))
            os.kill(broker.process.pid, signal.SIGCONT)
            uplink.up(broker.port, version)
            uplink.publish(1)
            uplink.wait_acked(1)

    def test_a_broker_that_falls_silent(self):
        broker = self.broker()
        uplink = self.uplink()
        uplink.up(broker.port, 5, keepalive=2)
        os.kill(broker.process.pid, signal.SIGSTOP)
        self.assertIn(uplink.wait_down()[0], (TIMEOUT, CLOSED))
        os.kill(broker.process.pid, signal.SIGCONT)

    def test_the_broker_says_goodbye(self):
        server = b"\x1c" + wire.text("other.example")
        broker = self.scripted(V5_ACCEPTED)
        uplink = self.uplink()
        uplink.up(broker.port, 5)
        broker.send(wire.DISCONNECT, b"\x9c" + property_bytes(server))
        self.assertEqual(uplink.wait_down(), (CLOSED, 0x9C, "other.example"))
        uplink.up(broker.port, 5)

    @staticmethod
    def wait_loaded(uplink, count):
        """It may be further by now, and may have told so before something else."""
        def loaded():
            return max((int(line.split()[1]) for line in uplink.lines
                        if line.startswith("loaded ")), default=0)
        wait_for(lambda: loaded() >= count, lambda: f"{count} loaded; {loaded()} are")

    def test_a_long_run_over_a_broker_that_dies(self):
        for version, uplink in self.each():
            broker = self.broker()
            uplink.say(f"load {LONG_RUN} 100 long/run")
            uplink.up(broker.port, version)
            for count in (500, 1500):
                self.wait_loaded(uplink, count)
                broker.kill()
                uplink.wait_down()
                broker.start()
                uplink.up(broker.port, version)
            self.wait_loaded(uplink, LONG_RUN)
            self.assertNotIn("bad", "".join(uplink.lines))
            self.assertEqual(uplink.end(), 0)


class Hearing:
    def test_subscriptions(self):
        broker = self.broker()
        for version, uplink in self.each():
            uplink.up(broker.port, version)
            self.assertEqual(uplink.result("subscribe heard/+"), 0)
            for token in (3, 4):
                uplink.publish(token, "heard/me")
                uplink.wait(f"message heard/me {payload(token, 20).hex()}")

    def test_one_subscription_at_a_time(self):
        for version, uplink in self.each():
            broker = self.scripted(V3_ACCEPTED if version == 4 else V5_ACCEPTED)
            uplink.up(broker.port, version)
            self.assertEqual(uplink.result("subscribe a"), 0)
            self.assertEqual(uplink.result("subscribe b"), AGAIN)
            _, body = broker.wait(wire.SUBSCRIBE)
            broker.send(wire.SUBACK, body[:2] + (b"\1" if version == 4 else b"\0\1"))
            wait_for(lambda: uplink.result("subscribe b") == 0, lambda: uplink.lines)

    def test_too_large_to_be_heard(self):
        broker = self.broker()
        for version, uplink in self.each():
            uplink.up(broker.port, version)
            uplink.result("subscribe heard/+")
            uplink.publish(1, "heard/large", size=INBOUND_MAX + 100, qos=0)
            uplink.publish(2, "heard/small")
            uplink.wait(f"message heard/small {payload(2, 20).hex()}")
            self.assertNotIn("heard/large", "".join(uplink.lines))

    def test_the_will(self):
        broker = self.broker()
        receiver = self.receiver(broker)
        for version, uplink in self.each():
            uplink.up(broker.port, version, will=f"a{version}/status")
            uplink.kill()
            wait_for(lambda v=version: (f"a{v}/status", b"offline", False) in receiver.messages,
                     lambda: receiver.messages)

    def test_no_will_after_a_goodbye(self):
        broker = self.broker()
        receiver = self.receiver(broker)
        for version, uplink in self.each():
            uplink.up(broker.port, version, will="b/status")
            uplink.close()
            uplink.up(broker.port, version, will="b/status")
            self.assertEqual(uplink.end(), 0)
            mark = self.uplink()
            mark.up(broker.port, version, id="mark")
            mark.publish(1, f"mark/{version}")
            wait_for(lambda v=version: any(m[0] == f"mark/{v}" for m in receiver.messages),
                     lambda: receiver.messages)
        self.assertNotIn(b"offline", [m[1] for m in receiver.messages])

    def test_a_goodbye_that_tells_the_will(self):
        broker = self.broker()
        receiver = self.receiver(broker)
        for version, uplink in self.each():
            if version == 4 and self.kind == "paho":
                continue  # the library has no way to close without DISCONNECT
            uplink.up(broker.port, version, will=f"c{version}/status")
            uplink.close(will=True)
            wait_for(lambda v=version: any(m[0] == f"c{v}/status" for m in receiver.messages),
                     lambda: receiver.messages)


class Secure:
    """Certificates of our own making; the clock is the host's."""

    def tls_broker(self, *names, extra="", **dates):
        """(authority, a broker whose certificate has these names)."""
        folder = tempfile.mkdtemp(prefix="dunlin-contract-")
        self.addCleanup(shutil.rmtree, folder)
        authority = Authority(folder, "ours")
        cert, key = authority.issue("broker", ",".join(names), "localhost", **dates)
        return authority, self.broker(
            f"cafile {authority.pem}\ncertfile {cert}\nkeyfile {key}\n" + extra)

    def refused(self, broker, *options, host="localhost"):
        """The error of a connection that does not come up."""
        uplink = self.uplink(*options)
        uplink.open(broker.port, 5, host=host, timeout=5000)
        return uplink.wait_down()[0]

    def test_tls(self):
        authority, broker = self.tls_broker("DNS:localhost", "IP:127.0.0.1")
        for version in (4, 5):
            uplink = self.uplink("--cafile", authority.pem)
            for host in ("127.0.0.1", "localhost"):
                uplink.up(broker.port, version, host=host)
                uplink.publish(1, size=20000)
                uplink.wait_acked(1)
                uplink.close()
            uplink.up(broker.port, version)
            uplink.say("load 300 1000 tls/load")
            uplink.wait("loaded 300")
            self.assertEqual(uplink.end(), 0)

    def test_a_wrong_name(self):
        """What a certificate calls itself beside its names does not count."""
        authority, broker = self.tls_broker("DNS:other.example")
        self.assertEqual(self.refused(broker, "--cafile", authority.pem), TLS_NAME)
        self.assertEqual(self.refused(broker, "--cafile", authority.pem, host="127.0.0.1"),
                         TLS_NAME)

    def test_an_expired_certificate(self):
        authority, broker = self.tls_broker("DNS:localhost", days=(-9, -1))
        self.assertEqual(self.refused(broker, "--cafile", authority.pem), TLS_DATE)

    def test_an_authority_nobody_knows(self):
        _, broker = self.tls_broker("DNS:localhost")
        stranger, _ = self.tls_broker("DNS:localhost")
        self.assertEqual(self.refused(broker, "--cafile", stranger.pem), TLS_CA)
        self.assertEqual(self.refused(broker, "--tls-alpn", "mqtt"), TLS_CA)  # the system's

    def test_a_clock_that_cannot_be_right(self):
        """It is behind the last time known, so an expired certificate could look good."""
        authority, broker = self.tls_broker("DNS:localhost", days=(-9, 9))
        self.assertEqual(self.refused(broker, "--cafile", authority.pem, "--earliest",
                                      "4000000000"), TLS_DATE)

    def test_plain_and_secure_do_not_meet(self):
        authority, secure = self.tls_broker("DNS:localhost")
        self.assertLess(self.refused(secure), 0)
        self.assertLess(self.refused(self.broker(), "--cafile", authority.pem), 0)

    def test_client_certificate(self):
        authority, broker = self.tls_broker("DNS:localhost", extra="require_certificate true\n")
        cert, key = authority.issue("device")
        uplink = self.uplink("--cafile", authority.pem, "--cert", cert, "--key", key)
        uplink.up(broker.port, 5, host="localhost")
        self.assertLess(self.refused(broker, "--cafile", authority.pem), 0)

    def test_psk(self):
        with tempfile.NamedTemporaryFile("w", suffix=".psk") as file:
            file.write("bird:" + b"sesame".hex() + "\n")
            file.flush()
            broker = self.broker(f"psk_hint h\npsk_file {file.name}\n")
        self.uplink("--psk-identity", "bird", "--psk", "sesame").up(broker.port, 5)
        self.assertLess(self.refused(broker, "--psk-identity", "bird", "--psk", "guess"), 0)


class Mqtt(Connecting, Publishing, Losing, Hearing, Secure, Both):
    kind = "mqtt"


class Paho(Connecting, Publishing, Losing, Hearing, Secure, Both):
    kind = "paho"


if __name__ == "__main__":
    main()
