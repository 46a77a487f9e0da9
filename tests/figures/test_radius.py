"""`figures radius`: alignment against certified radius, from tables and cards."""

from __future__ import annotations

import csv
import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from pagjax.certification import Share
from pagjax.checkpoints import cards, shipped
from pagjax.figures import __main__ as figures
from pagjax.figures import certified_radii, radius

DOCS = Path(__file__).resolve().parents[2] / "docs"
TABLES = [DOCS / "alignment.csv", DOCS / "figures.csv", DOCS / "gallery/blind.csv"]


def test_the_documentations_numbers_are_those_of_its_tables_and_cards(tmp_path, capsys):
    words = ["radius", "--tables", *map(str, TABLES), "--out", str(tmp_path / "out")]
    status = figures.main(words)
    told = capsys.readouterr()
    made = (tmp_path / "out" / radius.TABLE).read_text()
    assert made == (DOCS / radius.TABLE).read_text(), (
        "run python -m pagjax.figures radius --tables docs/alignment.csv docs/figures.csv "
        "docs/gallery/blind.csv and copy its table and its picture into docs"
    )
    rows = list(csv.DictReader(made.splitlines()))
    without = {row["network"] for row in rows if not row["sigma"]}
    assert status == (figures.EXIT_SOME_SKIPPED if without else figures.EXIT_DONE)
    assert all(name in told.err for name in without)
    assert "blind.csv, readers: 6 pictures a network" in told.out
    assert (tmp_path / "out" / radius.PICTURE).read_bytes().startswith(b"\x89PNG")
    # Again: what is there is ours.
    assert figures.main(words) == status


def test_shares_are_counted_where_networks_share_their_starts(tmp_path):
    path = tmp_path / "numbers.csv"
    rows = [
        *[("4", "net", hit, share) for hit, share in ((1, 1), (0, 0.25), (1, 0.75))],
        ("13", "net", 0, 0),  # of objectives, not of networks
        ("1", "other", "", 0.5),
    ]
    text = "figure,network,judge_robust_hit,panel_share\n"
    path.write_text(text + "".join(",".join(map(str, row)) + "\n" for row in rows))
    found = {
        (one.network, one.by): (one.pictures, one.share.value) for one in certified_radii.read(path)
    }
    assert found == {
        ("net", certified_radii.JUDGE): (3, 2 / 3),
        ("net", certified_radii.PANEL): (3, 2 / 3),
        ("other", certified_radii.PANEL): (1, 0.0),
    }


def test_a_cards_spread_is_nearly_that_of_its_radii():
    generator = np.random.default_rng(0)
    radii = np.clip(generator.normal(0.4, 0.45, 500), 0, None)
    at = [0, 0.25, 0.5, 0.75, 1.0]
    shares = [float((radii > r).mean() if r == 0 else (radii >= r).mean()) for r in at]
    entry = dataclasses.replace(
        cards.read(shipped.path("cifar10-gaussian-0.50")).certified[0],
        images=len(radii),
        radii=tuple(at),
        accuracies=tuple(Share(share, math.nan, math.nan) for share in shares),
        average_radius=float(radii.mean()),
        radius_interval=None,
    )
    value, low, high = certified_radii.average_of(entry)
    assert value == pytest.approx(radii.mean())
    assert high - low == pytest.approx(2 * 1.96 * radii.std() / 500**0.5, rel=0.1)
    known = dataclasses.replace(entry, radius_interval=(0.1, 0.9))
    assert certified_radii.average_of(known)[1:] == (0.1, 0.9)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a,b\n1,2\n", "no table of align"),
        ("", "no table of align"),
        ("network,judge_robust_hit\nx,maybe\n", "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_other_files_are_refused_by_name(tmp_path, capsys, content, told):
    path = tmp_path / "x.csv"
    if content is not None:
        path.write_text(content)
    words = ["radius", "--tables", str(path), "--out", str(tmp_path / "out")]
    assert figures.main(words) == figures.EXIT_REFUSED
    err = capsys.readouterr().err
    assert (told in err, str(path) in err, err.count("\n")) == (True, True, 1)


def test_radius_is_a_command_of_its_own(tmp_path, capsys):
    for words in (["1", "radius"], ["1", "--tables", "x.csv"], ["radius"]):
        assert figures.main([*words, "--out", str(tmp_path / "out")]) == figures.EXIT_REFUSED
        assert capsys.readouterr().err.startswith("error: ")
