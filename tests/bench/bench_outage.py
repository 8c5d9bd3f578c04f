"""The promise of the README at full length: the broker is away from the start for a minute."""
import argparse
import os
import subprocess
import sys

TEST = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "interop", "test_outage.py")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="length of the outage")
    arguments = parser.parse_args()
    environment = dict(os.environ, DUNLIN_OUTAGE=str(arguments.seconds))
    run = subprocess.run([sys.executable, TEST, "BrokerAway.test_down_from_the_start"],
                         env=environment, check=False)
    return run.returncode
