#!/usr/bin/python3
"""dunlind over TLS with real Mosquitto listeners and certificates of the test's own: who is
trusted, what the log says of who is not, and that nothing is lost on the way."""
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

from support.agent import WASI_HOST, Agent, command, exit_code, finish
from support.broker import Broker, mosquitto_path
from support.certificates import Authority, openssl
from support.children import spawn
from support.proxy import Fault, Proxy
from support.receiver import Receiver
from support.waiting import can_connect, free_port, last_for, main, wait_for

PSK = "0123456789abcdef0123"
OURS = "DNS:localhost,IP:127.0.0.1"


def listener(port, cert, key, more=""):
    return f"listener {port} 127.0.0.1\ncertfile {cert}\nkeyfile {key}\n{more}"


class Bench:
    """A broker with a plain listener and one for each kind of certificate."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="dunlin-tls-")
        self.ca = Authority(self.folder, "ours")
        self.other = Authority(self.folder, "other")
        self.ports = {}
        lines = []
        certificates = {
            "right": self.ca.issue("right", OURS),
            "name": self.ca.issue("name", "DNS:broker.example.org"),
            "cn-ignored": self.ca.issue("cn-ignored", "DNS:example.org", "localhost"),
            "cn-alone": self.ca.issue("cn-alone", "", "localhost"),
            "no-ip": self.ca.issue("no-ip", "DNS:localhost"),
            "wildcard": self.ca.issue("wildcard", "DNS:*.localhost"),
            "expired": self.ca.issue("expired", OURS, days=(-9, -1)),
            "future": self.ca.issue("future", OURS, days=(1, 9)),
            "far": self.ca.issue("far", OURS, days=(300, 900)),
            "stranger": self.other.issue("stranger", OURS)}
        for name, pair in certificates.items():
            lines.append(listener(self.new_port(name), *pair))
        right = certificates["right"]
        lines.append(listener(self.new_port("client"), *right,
                              f"require_certificate true\ncafile {self.ca.pem}\n"))
        lines.append(listener(self.new_port("tls1.3"), *right, "tls_version tlsv1.3\n"))
        psk_file = os.path.join(self.folder, "psk")
        with open(psk_file, "w", encoding="ascii") as stream:
            stream.write(f"pump-7:{PSK}\n")
        lines.append(f"listener {self.new_port('psk')} 127.0.0.1\npsk_hint hint\n"
                     f"psk_file {psk_file}\n")
        self.right = right
        self.broker = Broker("".join(lines))

    def new_port(self, name):
        self.ports[name] = free_port()
        return self.ports[name]

    def secret(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="ascii") as stream:
            stream.write(text)
        os.chmod(path, 0o600)
        return path

    def __enter__(self):
        self.broker.start()
        for port in self.ports.values():
            wait_for(lambda p=port: can_connect(p), "a TLS listener")
        return self

    def __exit__(self, *_):
        self.broker.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def agent_for(port, host="localhost", tls=None, **more):
    return Agent(port, sensors=2, settings={"broker": {"host": host, **more}, "tls": tls or {}})


@unittest.skipUnless(mosquitto_path() and shutil.which("openssl"),
                     "mosquitto or openssl is not installed")
class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bench = Bench()
        cls.bench.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.bench.__exit__()

    def trusting(self, **more):
        return {"cafile": self.bench.ca.pem, **more}

    def expect(self, port, words, tls, host="localhost", known=None):
        """Runs an agent until its log has all the words; returns the log."""
        with agent_for(port, host, tls) as agent:
            if known is not None:
                with open(os.path.join(agent.state, "known-time"), "w", encoding="ascii") as file:
                    file.write(f"{known}\n")
            agent.start()
            for word in words:
                agent.wait_log(word)
            self.assertIn("connected to the broker" if "TLSv1.2" in words[0] else
                          "no connection to the broker", agent.log())
            agent.terminate()
            return agent.log()

    def test_who_is_trusted(self):
        name, ports = 'tls="wrong host name"', self.bench.ports
        rows = (("right", "localhost", "tls=TLSv1.2"), ("right", "127.0.0.1", "tls=TLSv1.2"),
                ("cn-alone", "localhost", "tls=TLSv1.2"), ("cn-ignored", "localhost", name),
                ("name", "localhost", name), ("no-ip", "127.0.0.1", name),
                ("wildcard", "localhost", name), ("expired", "localhost", "tls=expired"),
                ("future", "localhost", 'tls="not yet valid"'),
                ("stranger", "localhost", 'tls="unknown authority"'),
                ("tls1.3", "localhost", "tls=version"))
        for listener_name, host, word in rows:
            with self.subTest(listener_name, host=host):
                log = self.expect(ports[listener_name], [word], self.trusting(), host)
                if "TLSv1.2" not in word:
                    self.assertIn("remedy=", log)
                    self.assertNotIn("connected to", log.replace("no connection to", ""))

    def test_authorities_in_a_folder_and_of_the_system(self):
        folder = os.path.join(self.bench.folder, "several")
        os.mkdir(folder)
        shutil.copy(self.bench.other.pem, os.path.join(folder, "a.pem"))
        shutil.copy(self.bench.ca.pem, os.path.join(folder, "b.pem"))
        port = self.bench.ports["right"]
        self.expect(port, ["tls=TLSv1.2"], {"capath": folder})
        if os.path.exists("/etc/ssl/certs/ca-certificates.crt"):
            self.expect(port, ['tls="unknown authority"'], {"use": "yes"})

    def test_client_certificate(self):
        ca, port = self.bench.ca, self.bench.ports["client"]
        good, expired = ca.issue("pump-7"), ca.issue("old", days=(-9, -1))
        foreign = self.bench.other.issue("pump-8")
        locked = ca.issue("locked", password="sesame")
        old_form = ca.path("old-form.key")
        openssl("ec", "-in", locked[1], "-passin", "pass:sesame", "-out", old_form, "-aes128",
                "-passout", "pass:sesame")
        password = self.bench.secret("password", "sesame\n")
        rows = (({}, "alert=40"), ({"cert": good[0], "key": good[1]}, "tls=TLSv1.2"),
                ({"cert": expired[0], "key": expired[1]}, "alert=45"),
                ({"cert": foreign[0], "key": foreign[1]}, "alert=48"),
                ({"cert": locked[0], "key": locked[1], "key_password_file": password},
                 "tls=TLSv1.2"), (
                     {"cert": locked[0], "key": old_form, "key_password_file": password},
                     "tls=TLSv1.2"))
        for more, word in rows:
            with self.subTest(more.get("key"), word=word):
                log = self.expect(port, [word], self.trusting(**more))
                self.assertNotIn("sesame", log)
        wrong = self.bench.secret("wrong", "nutmeg")
        rows = (({"cert": good[0], "key": expired[1]}, "is not the key of the certificate"),
                ({"cert": good[0], "key": good[0]}, "holds no private key"),
                ({"cert": good[0]}, "there is no key"),
                ({"cert": "/none.pem", "key": good[1]}, "No such file"),
                ({"cert": locked[0], "key": locked[1]}, "there is no key_password_file"),
                ({"cert": locked[0], "key": locked[1], "key_password_file": wrong},
                 "encrypted with another password"),
                ({"cert": locked[0], "key": locked[1], "key_password_file": "/none"},
                 "not found"), ({"cafile": good[1]}, "holds no certificate"))
        for more, word in rows:
            with self.subTest(word), agent_for(port, tls=self.trusting(**more)) as agent:
                agent.start()
                self.assertEqual(agent.process.wait(20), exit_code(5), agent.log())
                self.assertIn(word, agent.log())
                self.assertNotIn("nutmeg", agent.log())
                self.assertEqual(self.check_config(agent), exit_code(5))

    @staticmethod
    def check_config(agent):
        run = subprocess.run([*command(agent.folder), "-c", agent.config, "--check-config"],
                             stderr=subprocess.DEVNULL, check=False)
        return run.returncode

    def test_forms_of_a_key(self):
        """What openssl writes by default, older forms, and what no one here can read."""
        ca, folder = self.bench.ca, self.bench.folder
        plain, path = os.path.join(folder, "rsa.key"), os.path.join(folder, "form.key")
        password = self.bench.secret("form-password", "sesame")
        openssl("genrsa", "-out", plain, "2048")
        cert = ca.sign("rsa", plain)
        topk8 = ["pkcs8", "-topk8", "-in", plain, "-out", path, "-passout", "pass:sesame"]
        for options, code in ((["-v2", "aes-256-cbc"], 0), (["-v2", "des3"], 0),
                              (["-v2", "aes-192-cbc", "-v2prf", "hmacWithSHA512"], 0),
                              (["-v2", "aes-128-cbc", "-iter", "1"], 0), (["-scrypt"], 5)):
            openssl(*topk8, *options)
            for secret, wanted in ((password, code), (self.bench.secret("no", "x"), 5)):
                with self.subTest(options), agent_for(1, tls=self.trusting(
                        cert=cert, key=path, key_password_file=secret)) as agent:
                    agent.write_config()
                    self.assertEqual(self.check_config(agent), exit_code(wanted))

    def test_a_credential_of_systemd_and_a_file_that_others_read(self):
        ca, port = self.bench.ca, self.bench.ports["client"]
        cert, key = ca.issue("pump-9")
        folder = os.path.join(self.bench.folder, "credentials")
        os.mkdir(folder)
        shutil.copy(key, os.path.join(folder, "mqtt-key"))
        with agent_for(port, tls=self.trusting(cert=cert)) as agent:
            agent.env["CREDENTIALS_DIRECTORY"] = folder
            agent.start().wait_log("tls=TLSv1.2")
        if WASI_HOST:
            return  # it tells no permissions
        os.chmod(key, 0o644)
        self.expect(port, ["tls=TLSv1.2", "others may read the key file"],
                    self.trusting(cert=cert, key=key))

    def test_psk(self):
        port, secret = self.bench.ports["psk"], self.bench.secret
        right, wrong = secret("right", PSK + "\n"), secret("wrong-psk", PSK[::-1])
        rows = (("pump-7", right, "tls=TLSv1.2"), ("pump-7", wrong, "tls=refused"),
                ("pump-8", right, "tls=refused"))
        for identity, file, word in rows:
            with self.subTest(identity, file=file):
                log = self.expect(port, [word], {"psk_identity": identity, "psk_file": file})
                self.assertNotIn(PSK, log)
        for text, word in (("", "hexadecimal"), ("abc", "hexadecimal"), ("0x12", "hexadecimal"),
                           ("ab" * 65, "too large")):
            with self.subTest(text), agent_for(port, tls={
                    "psk_identity": "x", "psk_file": secret("bad", text)}) as agent:
                agent.start()
                self.assertEqual(agent.process.wait(20), exit_code(5), agent.log())
                self.assertIn(word, agent.log())

    def test_the_wrong_kind_of_port(self):
        log = self.expect(self.bench.broker.port, ['error="tls handshake"', "8883"],
                          self.trusting())
        self.assertNotIn("TLSv1", log)
        with agent_for(self.bench.ports["right"]) as agent:
            agent.start().wait_log("mqtts:// speaks it")

    def test_nothing_newer_than_1_1(self):
        cert, key = self.bench.right
        port = free_port()
        server = spawn(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", cert,
                        "-key", key, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0", "-quiet"],
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: can_connect(port), "s_server")
            self.expect(port, ['error="tls handshake"', 'tls="nothing in common"'],
                        self.trusting())
        finally:
            server.kill()
            server.wait()

    def test_a_clock_that_is_behind(self):
        """The last time known lies a year ahead: to this agent the clock is not set."""
        year = int(time.time()) + 366 * 86400
        ports = self.bench.ports
        self.expect(ports["right"], ["tls=expired"], self.trusting(), known=year)
        self.expect(ports["far"], ["tls=TLSv1.2"], self.trusting(), known=year)
        half = int(time.time()) + 180 * 86400
        self.expect(ports["far"], ['tls="clock not set"'], self.trusting(), known=half)
        self.expect(ports["far"], ["tls=TLSv1.2"], self.trusting(unset_clock="grace"), known=half)
        log = self.expect(ports["right"], ["tls=TLSv1.2"], self.trusting(), known="nonsense")
        self.assertIn("last time known cannot be read", log)

    def test_the_time_is_kept(self):
        with agent_for(self.bench.ports["right"], tls=self.trusting()) as agent:
            agent.start().wait_log("tls=TLSv1.2")
            agent.terminate()
            with open(os.path.join(agent.state, "known-time"), encoding="ascii") as file:
                self.assertAlmostEqual(int(file.read()), time.time(), delta=60)

    def test_rotation(self):
        """The broker's authority changes; the agent reads the new file without a restart."""
        cert, key = self.bench.ca.issue("rotating", OURS)
        trusted = os.path.join(self.bench.folder, "trusted.pem")
        shutil.copy(self.bench.ca.pem, trusted)
        port = free_port()
        with Broker(listener(port, cert, key)) as broker:
            broker.start()
            wait_for(lambda: can_connect(port), "the listener")
            with agent_for(port, tls={"cafile": trusted}) as agent:
                agent.start().wait_log("tls=TLSv1.2")
                broker.kill()
                for old, new in zip((cert, key), self.bench.other.issue("rotated", OURS)):
                    shutil.copy(new, old)
                broker.start()
                agent.wait_log('tls="unknown authority"')
                with open(trusted, "w", encoding="ascii") as file:
                    file.write("half a fi")
                agent.wait_log("holds no certificate")
                before = agent.log().count("tls=TLSv1.2")
                shutil.copy(self.bench.other.pem, trusted + ".new")
                os.replace(trusted + ".new", trusted)
                wait_for(lambda: agent.log().count("tls=TLSv1.2") > before, agent.log)

    def test_resumption_alpn_and_the_name(self):
        """A front that ends TLS before the plain listener sees what the agent asks for."""
        with Front(self.bench.broker.port, self.bench.right, "x-mqtt") as front, \
                agent_for(front.port, tls=self.trusting(alpn="x-mqtt",
                                                        max_fragment="1024")) as agent:
            agent.start().wait_log("resumed=no")
            front.cut()
            agent.wait_log("resumed=yes")
            self.assertEqual(front.seen[:2], [(False, "x-mqtt", "localhost"),
                                              (True, "x-mqtt", "localhost")])
            self.assertEqual(agent.terminate(), 0, agent.log())

    def test_stalled_at_each_flight(self):
        """Whatever the broker's last byte is, the deadline ends the wait."""
        places = (0, 3, 60, 400, 700, 1000)
        agents, proxies = [], []
        try:
            for after in places:
                proxy = Proxy(self.bench.ports["client"], opaque=True)
                proxy.fault = Fault(hold_down_after=after, slice_bytes=1)
                proxies.append(proxy)
                cert, key = self.bench.ca.issue(f"stalled-{after}")
                agents.append(agent_for(proxy.port, connect_timeout="1s",
                                        tls=self.trusting(cert=cert, key=key)).start())
            for agent, after in zip(agents, places):
                agent.wait_log("tls=stalled")
                self.assertIn("error=timeout", agent.log(), after)
        finally:
            for one in agents:
                one.__exit__()
            for proxy in proxies:
                proxy.close()

    def test_cut_everywhere_and_at_last_connected(self):
        cuts = [("down", n) for n in range(0, 1000, 33)] + [("up", n) for n in range(1, 700, 33)]
        with Proxy(self.bench.ports["right"], opaque=True) as proxy:
            for way, after in cuts:
                proxy.plan.put(Fault(cut_down_after=after, reset=after % 2 == 1) if way == "down"
                               else Fault(cut_up_after=after))
            with agent_for(proxy.port, tls=self.trusting()) as agent:
                agent.start()
                wait_for(lambda: proxy.plan.empty() or agent._must_live(), agent.log)
                agent.wait_log("tls=TLSv1.2")
                self.assertEqual(agent.terminate(), 0, agent.log())


@unittest.skipUnless(mosquitto_path() and shutil.which("openssl"),
                     "mosquitto or openssl is not installed")
class Outage(unittest.TestCase):
    def test_no_record_is_missing(self):
        """Away from the start, then killed and cut again and again, all of it over TLS."""
        with tempfile.TemporaryDirectory(prefix="dunlin-tls-") as folder:
            ca = Authority(folder, "ca")
            port = free_port()
            with Broker(listener(port, *ca.issue("broker", OURS))) as broker:
                broker.start()
                settings = {"broker": {"host": "localhost"}, "tls": {"cafile": ca.pem}}
                with Proxy(port, refusing=True, opaque=True) as proxy, \
                        Agent(proxy.port, settings=settings) as agent, \
                        Receiver(broker.port, "dunlin/test/bird-1/#", "receiver") as receiver:
                    agent.start()
                    last_for(3, agent.alive)
                    proxy.listen()
                    receiver.wait_count(90)
                    for cut in range(12):
                        proxy.plan.put(Fault(cut_up_after=3000 + 977 * cut,
                                             slice_bytes=1 + 211 * cut))
                    proxy.cut_all()
                    wait_for(lambda: proxy.plan.empty() or agent._must_live(), agent.log)
                    receiver.wait_count(receiver.records.count() + 100)
                    finish(self, agent, receiver.records)
                    receiver.records.check(self)
                    self.assertIn("tls=TLSv1.2", agent.log())
                    print(receiver.records.summary())


class Front:
    """Ends TLS 1.2 and hands the bytes on; keeps (resumed, ALPN, server name) of each client."""

    def __init__(self, upstream_port, pair, alpn):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.maximum_version = ssl.TLSVersion.TLSv1_2
        self.context.load_cert_chain(*pair)
        self.context.set_alpn_protocols([alpn])
        self.names = []
        self.context.sni_callback = lambda _one, name, _context: self.names.append(name)
        self.upstream_port, self.seen, self.open = upstream_port, [], []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()

    def cut(self):
        for one in self.open:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.open = []

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                secure = self.context.wrap_socket(client, server_side=True)
                server = socket.create_connection(("127.0.0.1", self.upstream_port))
            except OSError:
                if self.listener.fileno() < 0:
                    return
                continue
            self.seen.append((secure.session_reused, secure.selected_alpn_protocol(),
                              self.names[-1]))
            self.open += [secure, server]
            for source, target in ((secure, server), (server, secure)):
                threading.Thread(target=self._pass, args=(source, target), daemon=True).start()

    @staticmethod
    def _pass(source, target):
        try:
            while data := source.recv(4096):
                target.sendall(data)
        except OSError:
            pass
        try:
            target.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


if __name__ == "__main__":
    main()
