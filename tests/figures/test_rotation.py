"""Targets of a blind test: every class as often as any other, none twice from one start."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pagjax.figures.rotation import latin_targets

CLASSES = st.lists(st.integers(0, 999), min_size=1, max_size=12, unique=True)


@given(CLASSES, st.integers(1, 9), st.integers(1, 15), st.integers(0, 5), st.data())
@settings(max_examples=80, deadline=None, derandomize=True)
def test_rows_and_columns_are_balanced(classes, networks, count, seed, data):
    own = data.draw(st.lists(st.none() | st.sampled_from(classes), min_size=count, max_size=count))
    targets = latin_targets(own, networks, classes, seed=seed)
    assert targets.shape == (count, networks)
    for line in (*targets, *targets.T):
        counts = [Counter(line.tolist())[index] for index in classes]
        assert sum(counts) == len(line)
        assert max(counts) - min(counts) <= 1  # none twice as far as there are classes
    np.testing.assert_array_equal(targets, latin_targets(own, networks, classes, seed=seed))


@given(st.integers(2, 10), st.integers(0, 20), st.data())
@settings(max_examples=40, deadline=None, derandomize=True)
def test_mixed_starts_never_meet_their_own_class(classes, seed, data):
    networks = data.draw(st.integers(1, classes - 1))
    own = data.draw(st.permutations(range(classes)))
    known = [index if data.draw(st.booleans()) else None for index in own]
    targets = latin_targets(known, networks, range(classes), seed=seed)
    for index, row in zip(known, targets.tolist(), strict=True):
        assert index not in row


def test_seeds_rotate_otherwise():
    drawn = [latin_targets([None] * 10, 6, range(10), seed=seed) for seed in range(4)]
    assert len({targets.tobytes() for targets in drawn}) == 4


@pytest.mark.parametrize(
    ("own", "networks", "classes"), [([], 1, [1]), ([0], 0, [1]), ([0], 1, []), ([0], 1, [2, 2])]
)
def test_nothing_to_rotate_is_refused(own, networks, classes):
    with pytest.raises(ValueError, match="each"):
        latin_targets(own, networks, classes, seed=0)
