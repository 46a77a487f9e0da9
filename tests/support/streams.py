"""Streams of draws that were made beforehand."""

from __future__ import annotations


class Given:
    """A stream of outputs that are known already."""

    def __init__(self, outputs):
        self.outputs, self.taken = outputs, 0

    def take(self, count):
        yield self.outputs[self.taken : self.taken + count]
        self.taken += count
