"""Points a second into SQLite and PostgreSQL on one core, beside a Python subscriber.

Both have a kept session at a real Mosquitto, were away while a fleet published, and get the same
messages: the host trace of tests/bench/traces in records of so many points, given to so many
devices, as columns and as plain rows. Each is pinned to one core; broker and server have the other.
The rival (tests/bench/record_rival.py) is what one writes in an afternoon: paho-mqtt, the protobuf
package, a transaction for a thousand messages, and for columns tools/decode.py. The figure is
points a second of the subscriber's CPU time, so that other work on the machine counts little; what
the PostgreSQL server spends is not in it. SQLite's share is counted in instructions, by
callgrind: its own code, without what it calls of libc and the kernel.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

import paho.mqtt.client as mqtt

from bench_compression import encode, host_trace
from measure import table
from support import wire
from support.agent import program
from support.broker import Broker
from support.postgres import Postgres, folder_of_programs
from support.record import Sqlite, count

decode = wire.decode
HERE = os.path.dirname(os.path.realpath(__file__))
FILTERS = [(f"dunlin/+/+/{channel}", 1) for channel in ("batch", "samples")]
BOOT, BOOT_MS = 7, 1790000000000


def columns(points, devices, size, dictionary):
    """(topic, payload): the records of each device, of which the first announces the dictionary."""
    made = [decode.pb.Batch.FromString(record) for record in encode(points, size)]
    metrics = [dictionary[id_] for id_ in sorted(dictionary)]
    hash_ = 0
    for metric in metrics:
        hash_ = decode.crc32c(hash_, metric.SerializeToString())
    made[0].metrics.extend(decode.pb.Metric.FromString(metric.SerializeToString())
                           for metric in metrics)
    for device in range(devices):
        for batch in made:
            batch.stream, batch.catalog = device + 1, hash_
            yield f"dunlin/bench/device-{device}/batch", batch.SerializeToString()


def plain(points, devices, size, dictionary):
    for device in range(devices):
        name = f"device-{device}"
        for sequence, first in enumerate(range(0, len(points), size), 1):
            message = decode.pb.Samples(stream=device + 1, sequence=sequence)
            for id_, uptime, value in points[first:first + size]:
                metric = dictionary[id_]
                message.samples.add(device=name, metric=metric.name, unit=metric.unit,
                                    value=value * 10.0 ** metric.exponent, time=BOOT_MS + uptime,
                                    boot=BOOT, uptime_ms=uptime)
            yield f"dunlin/bench/{name}/samples", message.SerializeToString()


def publish(port, client_id, messages):
    """Leaves them in the kept session of `client_id`."""
    session = mqtt.Client(client_id=client_id, clean_session=False)
    session.connect("127.0.0.1", port)
    session.on_connect = lambda *_: session.subscribe(FILTERS)
    session.on_subscribe = lambda *_: session.disconnect()
    session.loop_forever()
    client = mqtt.Client()
    client.max_inflight_messages_set(1000)
    client.connect("127.0.0.1", port)
    client.loop_start()
    last = None
    for topic, payload in messages:
        last = client.publish(topic, payload, qos=1)
    last.wait_for_publish()
    client.disconnect()
    client.loop_stop()


def cpu_of(arguments, core):
    """Runs it on that core: CPU seconds, user and system."""
    process = subprocess.Popen(["taskset", "-c", str(core), *arguments],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    if process.returncode != 0:
        raise SystemExit(f"bench record: {arguments[0]} ended with {process.returncode}: {said}")
    return usage.ru_utime + usage.ru_stime


def recorder(port, url, messages):
    return [program("dunlin"), "record", "-L", f"mqtt://127.0.0.1:{port}", "--db", url, "-i",
            "rival", "-C", str(messages), "--quiet"]


def rival(port, url, messages):
    return [sys.executable, os.path.join(HERE, "record_rival.py"), str(port), url, str(messages)]


def run(make, command, messages, options):
    with Broker() as broker, make() as database:
        broker.start()
        os.sched_setaffinity(broker.process.pid, {1 - options.core})
        publish(broker.port, "rival", messages)
        spent = cpu_of(command(broker.port, database.url, len(messages)), options.core)
        found = count(database, "points")
        if found != options.points:
            raise SystemExit(f"bench record: {found} of {options.points} points are there")
        return options.points / spent


def share_of_sqlite(messages):
    """Instructions in SQLite's own code, of all."""
    with Broker() as broker, Sqlite() as database, tempfile.TemporaryDirectory() as folder:
        broker.start()
        publish(broker.port, "rival", messages)
        out = os.path.join(folder, "out")
        subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}",
                        *recorder(broker.port, database.url, len(messages))], check=True,
                       capture_output=True)
        return own_share(out, "libsqlite3")


def own_share(path, library):
    """Self cost by object, from callgrind's own format: a line behind calls= is not self."""
    names, cost, owner, skip = {}, {}, "", False
    with open(path, encoding="utf-8") as stream:
        for line in stream:
            named = re.match(r"ob=\((\d+)\)(?: (.*))?", line)
            if named:
                names.setdefault(named[1], named[2])
                owner = names[named[1]]
            elif line.startswith("cob="):
                named = re.match(r"cob=\((\d+)\)(?: (.*))?", line)
                names.setdefault(named[1], named[2])
            elif line.startswith("calls="):
                skip = True
            elif re.match(r"[+\-*\d]", line):
                if not skip:
                    cost[owner] = cost.get(owner, 0) + int(line.split()[1])
                skip = False
    return sum(v for k, v in cost.items() if library in k) / sum(cost.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=5)
    parser.add_argument("--size", type=int, default=768, help="points a record [768]")
    parser.add_argument("--core", type=int, default=0, choices=(0, 1))
    options = parser.parse_args()
    trace = host_trace()
    points = trace.streams[0]
    options.points = len(points) * options.devices
    backs = [("SQLite", Sqlite)]
    if folder_of_programs():
        backs.append(("PostgreSQL", Postgres))
    try:
        import psycopg2  # noqa: F401
    except ImportError:
        psycopg2 = None
    rows = []
    for form, made in (("columns", list(columns(points, options.devices, options.size,
                                                  trace.dictionary))),
                       ("plain rows", list(plain(points, options.devices, options.size,
                                                 trace.dictionary)))):
        for name, make in backs:
            ours = run(make, recorder, made, options)
            other = (run(make, rival, made, options) if name == "SQLite" or psycopg2
                     else float("nan"))
            rows.append([f"{form} into {name}", ours, other, ours / other])
    table(f"Points a second of CPU time on one core; {options.points:,} points in "
          f"{len(made):,} messages", ["", "dunlin record", "Python", "ratio"], rows)
    if shutil.which("valgrind"):
        few = list(columns(points, 1, options.size, trace.dictionary))
        print(f"SQLite's own code: {100 * share_of_sqlite(few):.0f} % of the instructions of "
              f"dunlin record (columns)")
    else:
        print("SQLite's share is left out: valgrind is missing, tools/setup --bench")
    return 0
