"""What the log costs on flash: bytes programmed, erases, mount reads, RAM, beside a rival.

Both run on the same simulated NOR flash, which counts. The rival (tests/bench/log_rival.h) is a
rewrite of the fixed-header layout of common flash time-series databases: entries with a status word
grow from the front of a sector, data from its back. Nothing is timed; each run prints the same.
"""
import argparse
import os
import subprocess

from measure import table
from support.agent import BUILD

FLASHDB_UNIT_MAX = 4  # bytes; with larger program units the rival's layout is stretched


def figures(*arguments):
    run = subprocess.run([os.path.join(BUILD, "log_figures"), *arguments], capture_output=True,
                         text=True, check=True)
    return [[int(cell) if cell.isdigit() else cell for cell in line.split("\t")]
            for line in run.stdout.splitlines()]


def size(number):
    return f"{number // 1024} KiB" if number % 1024 == 0 else f"{number} B"


def ratio(rival, ours):
    return rival / ours if ours else "-"


def write_tables():
    cost, detail = [], []
    for row in figures("write"):
        block, count, unit, record, group, records = row[:6]
        programmed, programs, erases, most, least, roomy = row[6:12]
        name = f"{count} x {size(block)}, unit {unit}{'' if unit <= FLASHDB_UNIT_MAX else ' *'}"
        key = [name, record, group]
        rival = row[12:] or None
        cost.append(key + [programmed * 1000 // records,
                           rival[0] * 1000 // records if rival else "-",
                           ratio(rival[0], programmed) if rival else "-",
                           erases * 1000 / records, rival[2] * 1000 / records if rival else "-",
                           ratio(rival[2], erases) if rival else "-"])
        detail.append(key + [programmed / records - record,
                             rival[0] / records - record if rival else "-",
                             programs / records, roomy / records,
                             rival[1] / records if rival else "-",
                             f"{least}..{most}", f"{rival[4]}..{rival[3]}" if rival else "-"])
    table("Per 1,000 records, each appended and acknowledged durably; ratio: rival / ours",
          ["flash", "record", "sync every", "programmed", "rival", "ratio", "erases", "rival",
           "ratio"], cost)
    print("* FlashDB's own layout ends at units of 4 bytes; beyond that the rival is stretched: a\n"
          "  unit for each state of a record. With a unit of one byte it clears bits of one byte.")
    table("Per record: bytes beside the payload, all bookkeeping counted; programs; erases a block",
          ["flash", "record", "sync every", "overhead", "rival", "programs, 1-unit buffer",
           "256 B buffer", "rival", "erases of a block", "rival"], detail)


def mount_table(records):
    rows = [[f"{device}, {state}", count, blocks, mount, first, opened, found, counted,
             ratio(counted, mount)]
            for device, state, blocks, count, mount, first, opened, found, counted
            in figures("mount", str(records))]
    table("Bytes read at mount, 4 KiB blocks, records of 32 bytes; ratio: rival counted / ours",
          ["device, records", "records", "blocks", "ours", "and first record", "rival: opened",
           "and first record", "and counted", "ratio"], rows)
    print("Ours knows where to write, what is acknowledged and how many wait when it has mounted.\n"
          "The rival knows the first; the others stand in the status of every entry.")


def cut_table():
    rows = [[f"{count} x {size(block)}, unit {unit}", what, mean, most, most / block]
            for block, count, unit, what, mean, most in figures("cut")]
    table("Bytes that our mount reads after a power cut that left noise, 20 kinds of noise each",
          ["flash", "cut", "mean", "most", "most / block"], rows)


def ram_table():
    known = dict(figures("ram"))
    table("RAM on this machine, bytes; beside it a write buffer of one program unit",
          ["", "log", "rival"],
          [["state of the log", known["log"], known["rival"]],
           ["loss ledger, which the rival has not", known["ledger"], "-"],
           ["  and each of its entries, 2 or more", known["loss"], "-"]])
    units = (1, 8, 256)
    table("What the format adds to a record, bytes, without padding and block headers",
          ["program unit", "log", "rival", "rival without CRC"],
          [[unit, known["overhead"], known[f"rival_overhead_{unit}"],
            known[f"rival_overhead_{unit}"] - (4 if unit == 1 else 0)] for unit in units])


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1000000, help="most records at mount")
    arguments = parser.parse_args()
    write_tables()
    mount_table(arguments.records)
    cut_table()
    ram_table()
    return 0
