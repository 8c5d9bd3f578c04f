"""Waiting for a condition with a deadline, free ports, and how a test program ends.

Nothing here sleeps for a guessed time: a wait polls a condition and fails when its deadline passes.
"""
import os
import socket
import sys
import time
import unittest

# Sanitized builds and busy machines are slow; a passing test never waits for its deadline.
DEADLINE_S = float(os.environ.get("DUNLIN_DEADLINE", "60"))
POLL_S = 0.005
SKIPPED = 77


def wait_for(condition, what, seconds=DEADLINE_S):
    """The first true result of `condition`; AssertionError naming `what` when time is up."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() >= end:
            detail = what() if callable(what) else what
            raise AssertionError(f"after {seconds:g} s still waiting: {detail}")
        time.sleep(POLL_S)


def free_port():
    """A loopback port that nobody listened on a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def can_connect(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def last_for(seconds, alive=lambda: True):
    """Lets a fault last: the duration is what is tested, not a guess. `alive` must stay true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert alive(), "it ended before its time"
        time.sleep(POLL_S)


class _Result(unittest.TextTestResult):
    """Names each skip in a line of its own, so that tools/check can show it."""

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        print(f"SKIPPED {test.id()}: {reason}", flush=True)


def main():
    """Runs the calling program's tests; exit code 77 when there was nothing but skips."""
    runner = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=_Result)
    result = unittest.main(testRunner=runner, exit=False).result
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(SKIPPED if result.testsRun == len(result.skipped) else 0)
