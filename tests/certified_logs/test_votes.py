"""Votes in a column of our own: kept by every method, skipped by others, absent from old logs."""

from __future__ import annotations

import csv

import jax
import numpy as np
import pytest

from pagjax.certified_logs import job as jobs
from pagjax.certified_logs import logs, tallies
from pagjax.certified_logs.resuming import begin
from pagjax.core.mesh import make_mesh
from tests.training import tiny

HEADER = logs.header((*logs.CERTIFY, logs.VOTES))


def a_job(**changes):
    values = {
        **{"checkpoint": "tiny", "checkpoint_sha256": "0" * 64, "data": "tiny", "split": "test"},
        **{"image_size": tiny.SIDE, "sigma": 0.25, "method": "hard", "num_selection": 20},
        **{"num_draws": 200, "alpha": 0.01, "bound": "better", "rivals": "bounded"},
        **{"radii": None, "seed": 1, "precision": "float32"},
    }
    return jobs.LogJob(**{**values, **changes})


def brightest(x):
    return x.mean(axis=(1, 2)) * 20


def filled(path, job, numbers=range(3)):
    done = begin(path, job)
    left = [number for number in numbers if number not in done]
    mesh = make_mesh(1, 200, jax.devices()[:1])
    jobs.run(job, brightest, tiny.data(4), left, path, mesh=mesh)
    return logs.read(path)


@pytest.mark.parametrize("change", [{}, {"method": "soft"}, {"method": "predict"}, {"radii": (0,)}])
def test_every_method_keeps_its_votes(tmp_path, change):
    log = filled(tmp_path / "log.tsv", a_job(**change))
    for line in log.lines:
        assert line.votes.share(line.prediction) > 0.5
        assert line.votes.votes <= line.votes.draws + 1e-3
        assert line.votes.votes == pytest.approx(line.votes.draws, rel=0.01)
        assert (line.votes.draws < 200) == ("radii" in change)


def test_readers_by_name_find_the_columns_of_cohen_et_al(tmp_path):
    """As `pandas.read_csv(delimiter="\\t")` does, of which their analysis takes columns by name."""
    path = tmp_path / "log.tsv"
    log = filled(path, a_job())
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert tuple(rows[0]) == (*logs.CERTIFY, logs.VOTES)
    assert [float(row["radius"]) for row in rows] == log.radii.tolist()
    assert [int(row["correct"]) for row in rows] == log.correct.tolist()


@pytest.mark.parametrize("method", ["hard", "predict"])
def test_a_log_without_votes_goes_on_without_them(tmp_path, method):
    path, job = tmp_path / "old.tsv", a_job(method=method)
    whole = filled(tmp_path / "new.tsv", job)
    begin(path, job)
    rows = (tmp_path / "new.tsv").read_text().splitlines()
    path.write_text("".join(row.rpartition("\t")[0] + "\n" for row in rows[:2]))
    after = filled(path, job)
    assert logs.VOTES not in after.columns
    assert [line._replace(votes=None, seconds=0.0) for line in whole.lines] == [
        line._replace(seconds=0.0) for line in after.lines
    ]


@pytest.mark.parametrize(
    ("cell", "votes"),
    [
        ("100[0:90+2:10]", {0: 90.0, 2: 10.0}),
        ("100[]", {}),
        ("100[0:90.25]", {0: 90.25}),
        ("", None),
        ("100[0:90+2:1", None),  # cut off
        ("0[]", None),
        ("90 10", None),  # somebody else's votes
    ],
)
def test_cells_are_votes_or_none(cell, votes):
    found = logs.parse(f"{HEADER}0\t0\t0\t0.1\t1\t1\t{cell}\n")
    assert found.lines[0].votes == (None if votes is None else (100, votes))
    assert found.notes == (() if votes is not None else ("columns not used: votes",))


def test_votes_that_cannot_be_are_told():
    text = f"{HEADER}0\t0\t0\t0.1\t1\t1\t100[0:90]\n1\t0\t0\t0.1\t1\t1\t100[0:90+1:20]\n"
    assert logs.check(logs.parse(text)).left_out[0].reason == "110 votes of 100 draws"
    with pytest.raises(logs.LogError, match="a class is named twice"):
        logs.parse(f"{HEADER}0\t0\t0\t0.1\t1\t1\t100[0:9+0:2]\n")


def test_small_summed_probabilities_are_left_out():
    tally = tallies.tally_of(np.array([99.999, 0.0001, 0.02]), 100)
    assert tallies.cell_of(tally) == "100[0:99.99+2:0.02]"
    votes = tallies.tally_of(np.array([99_999, 1, 0]), 100_000)
    assert tallies.parse(tallies.cell_of(votes)) == votes
