#!/usr/bin/python3
"""dunlind as a process: options, exit codes, log lines, the service manager, the state folder."""
import os
import signal
import socket
import subprocess
import tempfile
import unittest

from support.agent import Agent, finish, program
from support.broker import Broker
from support.broker_stub import Stub
from support.children import spawn
from support.receiver import Receiver
from support.waiting import main, wait_for


LINE = r'^ts=\S+Z level=(info|warning|error) msg="[^"]+"( \S+=.+)?$'


def run(*words, env=None):
    return subprocess.run([program("dunlind"), *words], text=True, capture_output=True, timeout=60,
                          env=dict(os.environ, **(env or {})), check=False)


class Options(unittest.TestCase):
    def test_help_and_version_go_to_stdout(self):
        for word, expected in (("--help", "--password-file"), ("--version", "dunlind 0.")):
            result = run(word)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertIn(expected, result.stdout)

    def test_wrong_usage_is_2_and_starts_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            state = os.path.join(folder, "state")
            result = run("--state", state, "-p", "0", "--colour", "red", "-P", "sesame")
            self.assertEqual(result.returncode, 2)
            self.assertEqual(len(result.stderr.splitlines()), 3, result.stderr)
            self.assertNotIn("sesame", result.stderr)
            self.assertFalse(os.path.exists(state))

    def test_check_config(self):
        good = run("--check-config", "-L", "mqtt://broker:1883")
        self.assertEqual((good.returncode, good.stderr), (0, ""))
        bad = run("--check-config", "-L", "mqtt://broker", "--cafile", "/ca.pem")
        self.assertEqual(bad.returncode, 2)
        self.assertIn("needs TLS", bad.stderr)

    def test_print_config_reads_back(self):
        with tempfile.NamedTemporaryFile("w", suffix=".ini") as file:
            first = run("--print-config", "--device", "d-9", "--interval", "7s")
            file.write(first.stdout)
            file.flush()
            again = run("--print-config", "-c", file.name, env={"DUNLIN_FLEET": "north"})
            self.assertEqual(again.returncode, 0, again.stderr)
            self.assertIn("interval = 7s", again.stdout)
            self.assertIn("fleet = north ; environment", again.stdout)


class State(unittest.TestCase):
    def test_a_state_folder_that_cannot_be(self):
        result = run("--state", "/proc/no/such", "--device", "d")
        self.assertEqual(result.returncode, 1)
        self.assertIn("the state folder cannot be used", result.stderr)

    def test_the_folder_is_private(self):
        with Agent(1) as agent:
            os.rmdir(agent.state)
            agent.start()
            agent.wait_log("started")
            self.assertEqual(os.stat(agent.state).st_mode & 0o777, 0o700)
            self.assertEqual(agent.terminate(), 0)

    def test_a_second_wish_to_end_is_heard(self):
        with Agent(1, settings={"agent": {"drain": "10m"}}) as agent, Broker() as broker:
            agent.port = agent.settings["broker"]["port"] = broker.start().port
            agent.start()
            agent.wait_log("connected")
            os.kill(broker.process.pid, signal.SIGSTOP)  # it hangs, with records unacknowledged
            agent.process.send_signal(signal.SIGTERM)
            agent.wait_log("ending")
            wait_for(lambda: agent.process.send_signal(signal.SIGTERM)
                     or agent.process.poll() is not None, agent.log)
            self.assertEqual(agent.process.returncode, 1)
            self.assertIn("told to end twice", agent.log())
            os.kill(broker.process.pid, signal.SIGCONT)


    def test_a_wish_to_end_before_the_configuration_is_read(self):
        """The configuration is a pipe: when it is open for writing, the daemon is at reading."""
        for signal_number, words, code in ((signal.SIGTERM, (), 0), (signal.SIGINT, (), 0),
                                           (signal.SIGTERM, ("--check-config",), 2)):
            with self.subTest(words=words), tempfile.TemporaryDirectory() as folder:
                pipe, state = os.path.join(folder, "pipe"), os.path.join(folder, "state")
                os.mkfifo(pipe)
                with spawn([program("dunlind"), "-c", pipe, "--state", state, *words],
                           stderr=subprocess.PIPE) as process, \
                        open(pipe, "w", encoding="ascii") as writer:
                    process.send_signal(signal_number)
                    # Closed only now; what was written is wrong, and was asked for by a check only.
                    writer.write("[colour]\n")
                    try:
                        writer.close()
                    except BrokenPipeError:
                        pass
                    process.communicate(timeout=60)
                    self.assertEqual(process.returncode, code)
                self.assertFalse(os.path.exists(state))


class Versions(unittest.TestCase):
    def connects(self, words, protocol):
        """The protocol level that Mosquitto itself notes for the client."""
        with Broker("log_type notice\n") as broker, \
                Receiver(broker.start().port, "dunlin/#") as receiver, \
                Agent(broker.port, settings={"broker": words}) as agent:
            agent.start()
            wait_for(lambda: f" as bird-1 (p{protocol}, " in broker.log(),
                     lambda: agent.log() + broker.log())
            receiver.wait_count(20)
            finish(self, agent, receiver.records)
            receiver.records.check(self)
            receiver.wait_last("status", b"offline")
            self.assertNotIn("level=warning", agent.log())

    def test_5_unless_told_otherwise(self):
        self.connects({}, 5)

    def test_3_1_1(self):
        self.connects({"version": "3.1.1"}, 2)

    def test_5(self):
        self.connects({"version": "5"}, 5)

    def test_an_old_broker_gets_3_1_1_and_that_is_said_once(self):
        with tempfile.TemporaryDirectory() as folder, Stub(folder, "--old") as stub, \
                Agent(stub.port, settings={"broker": {"version": "auto"}}) as agent:
            stub.start()
            agent.start()
            wait_for(lambda: len(stub.payloads()) > 20, agent.log)
            stub.kill()
            agent.wait_log("no connection to the broker")
            count = len(stub.start().payloads())
            wait_for(lambda: len(stub.payloads()) > count + 20, agent.log)
            self.assertEqual(agent.terminate(), 0)
            self.assertEqual(agent.log().count("the broker refuses MQTT 5"), 1, agent.log())


class LogLines(unittest.TestCase):
    def test_what_repeats_is_held_back(self):
        settings = {"broker": {"reconnect_min": "1ms", "reconnect_max": "2ms"}}
        with Agent(1, settings=settings) as agent:
            agent.start()
            wait_for(lambda: agent.log().count("no connection") == 3, agent.log)
            agent.terminate()
            self.assertEqual(agent.log().count("no connection"), 3)
            for line in agent.log().splitlines():
                self.assertRegex(line, LINE)

    def test_a_sensor_that_fails_is_named(self):
        with Agent(1, sensors=1) as agent:
            os.unlink(agent.sensor_path(0))
            agent.start()
            agent.wait_log("sensor=s0 error=\"not found\"")
            agent.terminate()

    def test_the_password_is_in_no_line(self):
        with Agent(1) as agent:
            path = os.path.join(agent.folder, "password")
            with open(path, "w", encoding="ascii") as file:
                file.write("sesame\n")
            os.chmod(path, 0o644)
            agent.settings["broker"].update(username="me", password_file=path)
            agent.start()
            agent.wait_log("others may read the password file")
            agent.wait_log("no connection")
            agent.terminate()
            self.assertNotIn("sesame", agent.log())
            os.unlink(path)
            self.assertEqual(run("-c", agent.config).returncode, 1)


class ServiceManager(unittest.TestCase):
    def test_ready_watchdog_stopping(self):
        with Broker() as broker, Receiver(broker.start().port) as receiver, \
                tempfile.TemporaryDirectory() as folder, \
                socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            path = os.path.join(folder, "notify")
            manager.bind(path)
            manager.settimeout(60)
            env = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "200000"}
            with Agent(broker.port, env=env) as agent:
                agent.start()
                heard = [manager.recv(100).decode() for _ in range(5)]
                self.assertEqual(heard[0], "READY=1")
                self.assertEqual(set(heard[1:]), {"WATCHDOG=1"})
                receiver.wait_last("status", b"online")
                self.assertEqual(agent.terminate(), 0)
                while heard[-1] != "STOPPING=1":
                    heard.append(manager.recv(100).decode())

    def test_journal_lines_have_a_priority(self):
        with tempfile.TemporaryFile() as log:
            status = os.fstat(log.fileno())
            env = dict(os.environ, JOURNAL_STREAM=f"{status.st_dev}:{status.st_ino}")
            subprocess.run([program("dunlind"), "--state", "/proc/no/such", "--device", "d"],
                           stderr=log, env=env, timeout=60, check=False)
            log.seek(0)
            self.assertRegex(log.read().decode(), r'^<3>level=error msg="the state folder')


if __name__ == "__main__":
    main()
