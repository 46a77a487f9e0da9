"""Rows of figures' tables: as records here, as they were on disk."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from pagjax.alignment.intervals import Interval
from pagjax.alignment.measurements import as_csv
from pagjax.figures import blind_table, places
from pagjax.figures.rows import Means, Numbers, Row
from pagjax.io.files.errors import RefusedError

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_a_rows_columns_are_those_of_the_table_that_was_published():
    row = Row(1, "net", "a", "b", 0.25, "tcm", 2, 3, 1.0, Numbers("smoothed", {"logit": 0.5}))
    with (DOCS / "figures.csv").open(encoding="utf-8", newline="") as file:
        names = next(csv.reader(file))
    first = list(row.to_json())
    assert first[:-1] == names[: len(first) - 1]
    assert as_csv([row.to_json()]).decode().splitlines()[1] == (
        "1,smoothed,net,a,b,0.25,tcm,2,3,1,0.5"
    )


def test_means_have_intervals_where_judges_say_them():
    third = Interval(0.3, 0.1, 0.5)
    means = Means("smoothed", 4, {"logit": third, "panel_share": third, "judge_x_hit": third})
    assert list(means.to_json()) == [
        *("variant", "pictures", "logit", "panel_share", "panel_share_low", "panel_share_high"),
        *("judge_x_hit", "judge_x_hit_low", "judge_x_hit_high"),
    ]


def test_the_published_table_of_the_blind_test_is_written_back_to_the_byte(tmp_path):
    lines = blind_table.read(DOCS / "gallery")
    written = blind_table.write(tmp_path, lines)
    assert written.read_bytes() == (DOCS / "gallery" / places.BLIND_TABLE).read_bytes()
    head, first, *_ = blind_table.cells(lines)
    assert head[:3] == ["network", "pictures", "target named"]
    assert first[:3] == ["imagenette-vanilla", "6", "0.67 (0.22 to 0.96)"]


def test_a_table_that_says_less_has_dashes(tmp_path):
    text = "network,pictures,named,readers,panel_share\na,3,0.5,me; you,\nb,2,,me,0.25\n"
    (tmp_path / places.BLIND_TABLE).write_text(text)
    lines = blind_table.read(tmp_path)
    assert blind_table.cells(lines)[1:] == [["a", "3", "0.50", "-"], ["b", "2", "-", "0.25"]]
    assert blind_table.readers(lines) == ["me", "you"]


@pytest.mark.parametrize("edit", [("named", "often"), ("pictures", "3.5"), ("panel_share", "x")])
def test_a_cell_that_is_no_number_is_named(tmp_path, edit):
    cells = {"network": "a", "pictures": 3, "named": 0.5, "readers": "me", "panel_share": 0.5}
    (tmp_path / places.BLIND_TABLE).write_bytes(as_csv([cells | dict([edit])]))
    with pytest.raises(RefusedError, match=f"{places.BLIND_TABLE}: {edit[0]} is {edit[1]!r}"):
        blind_table.read(tmp_path)
