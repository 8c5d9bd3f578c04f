#!/usr/bin/python3
"""telemetry.proto still means what the last release said: proto/contract.txt lists each
field and enumeration value of it, and none may change its number, type or presence, or go without
its number and name being reserved. New ones are welcome.

`test_contract.py --write` is the last step of a release: it makes the list anew.
"""
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, HERE)
from google.protobuf import descriptor_pb2  # noqa: E402
from batches import pb  # noqa: E402

CONTRACT = os.path.join(HERE, "..", "..", "proto", "contract.txt")
FIELD = descriptor_pb2.FieldDescriptorProto


def own_file():
    file = descriptor_pb2.FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(file)
    return file


def presence(field):
    if field.label == FIELD.LABEL_REPEATED:
        # What a parser accepts either way, but an old consumer's generated code may not.
        return "repeated packed" if field.options.packed else "repeated"
    return "optional" if field.proto3_optional else "plain"


def rows(file):
    """{(what, number): how it reads}, over all messages and enumerations."""
    found = {}
    for message in file.message_type:
        for field in message.field:
            kind = FIELD.Type.Name(field.type)[5:].lower()
            of = field.type_name.removeprefix("." + file.package + ".")
            found[message.name, field.number] = " ".join(
                filter(None, (presence(field), kind, of, field.name)))
    for enum in file.enum_type:
        for value in enum.value:
            found[enum.name, value.number] = value.name
    return found


def reserved(file, what, number, text):
    """A field may go when nobody can take its number or name again."""
    name = text.split(" ")[-1]
    for message in file.message_type:
        if message.name == what:
            ranges = [range(r.start, r.end) for r in message.reserved_range]
            return any(number in r for r in ranges) and name in message.reserved_name
    for enum in file.enum_type:
        if enum.name == what:
            ranges = [range(r.start, r.end + 1) for r in enum.reserved_range]
            return any(number in r for r in ranges) and name in enum.reserved_name
    return False


def breaks(old, file):
    """What of `old` does not hold any more, a sentence each."""
    new = rows(file)
    found = []
    for (what, number), text in old.items():
        if (what, number) not in new:
            if not reserved(file, what, number, text):
                found.append(f"{what} {number}: '{text}' is gone; reserve its number and its name")
        elif new[what, number] != text:
            found.append(f"{what} {number}: was '{text}', is '{new[what, number]}'")
    return found


def read_contract():
    with open(CONTRACT, encoding="ascii") as file:
        parts = [line.split(" ", 2) for line in file.read().splitlines() if line[:1] != "#"]
    return {(what, int(number)): text for what, number, text in parts}


def write_contract():
    with open(CONTRACT, "w", encoding="ascii") as file:
        file.write("# dunlin.v1 as of the last release: message or enumeration, number, meaning.\n"
                   "# Made by tests/golden/test_contract.py --write.\n")
        for (what, number), text in rows(own_file()).items():
            file.write(f"{what} {number} {text}\n")


class Contract(unittest.TestCase):
    def test_nothing_of_the_last_release_broke(self):
        self.assertEqual(breaks(read_contract(), own_file()), [])
        self.assertGreater(len(read_contract()), 50)

    def changed(self, change):
        file = own_file()
        change({message.name: message for message in file.message_type},
               {enum.name: enum for enum in file.enum_type})
        return breaks(rows(own_file()), file)

    def test_what_breaks_is_seen(self):
        def number(messages, _):
            messages["Loss"].field[0].number = 99

        def kind(messages, _):
            messages["Loss"].field[0].type = FIELD.TYPE_SINT64

        def became_plain(messages, _):
            messages["Loss"].field[0].proto3_optional = False

        def renamed(messages, _):
            messages["Sample"].field[0].name = "unit_id"

        def gone(messages, _):
            del messages["Loss"].field[0]

        def unpacked(messages, _):
            next(f for f in messages["Column"].field if f.name == "deltas").options.packed = False

        def value(_, enums):
            enums["LossReason"].value[1].number = 42

        for change in (number, kind, became_plain, renamed, gone, unpacked, value):
            with self.subTest(change.__name__):
                self.assertEqual(len(self.changed(change)), 1)

    def test_what_does_not_break_is_allowed(self):
        def added(messages, _):
            messages["Loss"].field.add(name="new", number=100, type=FIELD.TYPE_BOOL,
                                       label=FIELD.LABEL_OPTIONAL)

        def gone_and_reserved(messages, _):
            field = messages["Loss"].field.pop(0)
            messages["Loss"].reserved_range.add(start=field.number, end=field.number + 1)
            messages["Loss"].reserved_name.append(field.name)

        for change in (added, gone_and_reserved):
            with self.subTest(change.__name__):
                self.assertEqual(self.changed(change), [])


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        write_contract()
    else:
        unittest.main(verbosity=2)
