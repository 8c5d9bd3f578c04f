#!/usr/bin/python3
"""Writes the golden examples that do not exist yet. It never changes one: see proto/SPEC.md."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import batches  # noqa: E402
import decode  # noqa: E402

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "proto", "golden")


def expected(name, data):
    _, kind, framing = name.split(".")
    decoder = decode.Decoder()
    records = decode.records(data, "bare" if framing == "bin" else framing)
    return "".join(decode.to_json(line) + "\n" for record in records
                   for line in decoder.decode(kind, "golden", record))


for name, make in batches.GOLDEN.items():
    path = os.path.join(GOLDEN, name)
    if os.path.exists(path):
        continue
    data = make()
    with open(path, "wb") as file:
        file.write(data)
    with open(path.rsplit(".", 1)[0] + ".json", "w", encoding="utf-8") as file:
        file.write(expected(name, data))
    print("made", name)
