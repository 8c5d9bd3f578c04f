"""The judge: what was recorded, what came, and whether the two agree.

A Records object collects payloads of the batch channel in the order in which they came. A record is
known by (stream, sequence). It counts as lost when it never came and the loss ledger, as far as it
came, does not name it.
"""
from . import wire


class Records:
    def __init__(self):
        self.arrivals = []  # (stream, sequence), duplicates included
        self.bytes = {}     # (stream, sequence) -> payload
        self.conflicts = []  # the same sequence with other bytes
        self.damaged = []   # payloads that are no batch
        self.batches = {}   # (stream, sequence) -> parsed
        self.until = None   # judged up to here: what an ending agent still recorded may wait

    def add(self, payload):
        batch = wire.Batch()
        try:
            batch.ParseFromString(payload)
        except Exception as error:  # the package raises its own, private type
            self.damaged.append((payload, error))
            return
        key = (batch.stream, batch.sequence)
        self.arrivals.append(key)
        if self.bytes.setdefault(key, payload) != payload:
            self.conflicts.append(key)
        self.batches.setdefault(key, batch)

    def streams(self):
        return list(dict.fromkeys(stream for stream, _ in self.bytes))

    def sequences(self, stream):
        """Distinct sequences in order of first arrival."""
        return list(dict.fromkeys(s for own, s in self.arrivals if own == stream))

    def count(self):
        return len(self.bytes)

    def newest(self):
        return max((sequence for _, sequence in list(self.bytes)), default=0)

    def duplicates(self):
        return len(self.arrivals) - len(self.bytes)

    def losses(self, stream):
        """(first, last, reason) of each ledger entry about sequences that came."""
        return [(loss.first, loss.last, loss.reason)
                for (own, _), batch in sorted(self.batches.items()) if own == stream
                for loss in batch.losses if loss.first]

    def points_lost(self, stream):
        return sum(loss.points for (own, _), batch in self.batches.items() if own == stream
                   for loss in batch.losses if not loss.first)

    def told_lost(self, stream):
        told = set()
        for first, last, _ in self.losses(stream):
            told.update(range(first, last + 1))
        return told

    def missing(self, stream):
        """Sequences up to the newest that neither came nor stand in the ledger."""
        come = set(self.sequences(stream))
        newest = max(come, default=0)
        if self.until is not None:
            newest = min(newest, self.until)
        return sorted(set(range(1, newest + 1)) - come - self.told_lost(stream))

    def out_of_order(self, stream):
        """Sequences that came for the first time after a higher one."""
        highest, late = 0, []
        for sequence in self.sequences(stream):
            if sequence < highest:
                late.append(sequence)
            highest = max(highest, sequence)
        return late

    def out_of_lanes(self, stream, lanes=2):
        """Sequences that fit none of so many rising lanes: the live one, the backfill, urgent ones.

        First arrivals are a merge of two rising runs exactly if giving each one to the run that
        ends highest below it never needs a third; three likewise.
        """
        ends, strays = [0] * lanes, []
        for sequence in self.sequences(stream):
            below = [end for end in ends if end < sequence]
            if below:
                ends[ends.index(max(below))] = sequence
            else:
                strays.append(sequence)
        return strays

    def summary(self):
        return (f"{self.count()} records, {self.duplicates()} duplicates, "
                f"{sum(len(self.missing(stream)) for stream in self.streams())} missing")

    def point_count(self):
        return sum(1 for batch in self.batches.values() for _ in wire.points(batch))

    def check(self, test, strict=False, lanes=2):
        """Fails `test` if something is missing, damaged, out of its lane, or came twice with
        different bytes. `strict`: there is one lane. `lanes` 0: a broker in between lost some."""
        test.assertEqual(self.damaged, [], "payloads that are no batch")
        test.assertEqual(self.conflicts, [], "sequences that came twice with different bytes")
        for stream in self.streams():
            test.assertEqual(self.missing(stream), [], "sequences missing and not in the ledger")
            if lanes:
                test.assertEqual(self.out_of_lanes(stream, lanes), [],
                                 "sequences out of order in a lane")
            if strict:
                test.assertEqual(self.out_of_order(stream), [], "sequences out of order")
