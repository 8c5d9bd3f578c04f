#!/usr/bin/python3
"""The rival of `tools/bench record`: a subscriber as one writes it in Python.

    record_rival.py PORT DATABASE MESSAGES

paho-mqtt, the protobuf package, one transaction for a thousand messages: executemany into SQLite,
COPY into PostgreSQL. It knows no dictionary that comes late, no duplicate, no cursor.
"""
import io
import os
import sqlite3
import sys

import paho.mqtt.client as mqtt

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "interop"))
from support import wire  # noqa: E402

decode = wire.decode
BATCH = 1000
TABLE = ("CREATE TABLE points (device text, metric text, unit text, time bigint, "
         "value double precision)")


class Sqlite:
    def __init__(self, path):
        self.connection = sqlite3.connect(path)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute(TABLE)

    def write(self, rows):
        self.connection.executemany("INSERT INTO points VALUES (?, ?, ?, ?, ?)", rows)
        self.connection.commit()


class Postgres:
    def __init__(self, url):
        import psycopg2
        self.connection = psycopg2.connect(url)
        self.connection.cursor().execute(TABLE)

    def write(self, rows):
        text = io.StringIO("".join("\t".join(map(str, row)) + "\n" for row in rows))
        self.connection.cursor().copy_from(text, "points")
        self.connection.commit()


class Subscriber:
    def __init__(self, port, database, messages):
        self.database, self.left = database, messages
        self.rows, self.taken, self.dictionaries = [], 0, {}
        self.client = mqtt.Client(client_id="rival", clean_session=False)
        self.client.on_message = self.on_message
        self.client.connect("127.0.0.1", port)

    def columns(self, device, batch):
        if batch.metrics:
            self.dictionaries[device, batch.catalog] = batch.metrics
        metrics = self.dictionaries[device, batch.catalog]
        for id_, times, values in decode.expand(batch):
            metric = metrics[id_]
            scale = 10 ** metric.exponent
            for time, value in zip(times, values):
                yield (device, metric.name, metric.unit, batch.boot_unix_ms + time, value * scale)

    def on_message(self, client, _data, message):
        device, channel = message.topic.split("/")[2:]
        if channel == "batch":
            self.rows.extend(self.columns(device, decode.pb.Batch.FromString(message.payload)))
        else:
            self.rows.extend((device, sample.metric, sample.unit, sample.time, sample.value)
                             for sample in decode.pb.Samples.FromString(message.payload).samples)
        self.left -= 1
        self.taken += 1
        if self.taken == BATCH or self.left == 0:
            self.database.write(self.rows)
            self.rows, self.taken = [], 0
        if self.left == 0:
            client.disconnect()


def main():
    port, name, messages = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    database = Postgres(name) if "://" in name else Sqlite(name)
    Subscriber(port, database, messages).client.loop_forever()


if __name__ == "__main__":
    main()
