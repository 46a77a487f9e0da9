"""The statistics of the benchmark of recipes, on numbers made up here."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from scipy import stats

from benchmarks import less_work_report as report

CLASSES = np.array(["cat", "dog"])


@pytest.mark.parametrize(("hits", "trials"), [(0, 12), (7, 12), (88, 100), (100, 100)])
def test_wilson_is_scipys(hits, trials):
    exact = stats.binomtest(hits, trials).proportion_ci(0.95, method="wilson")
    found = report.wilson(hits, trials)
    assert found["low"] == pytest.approx(exact.low, abs=1e-7)
    assert found["high"] == pytest.approx(exact.high, abs=1e-7)


def test_a_ratio_of_paired_means_is_covered_as_often_as_it_says():
    """2,000 draws of 50 pairs; 0.95 +- 5 standard errors of 0.0049 is where they may land."""
    generator = np.random.default_rng(0)
    covered = 0
    for _ in range(2000):
        reference = generator.normal(15, 3, 50)
        found = report.ratio_interval(0.9 * reference + generator.normal(0, 1, 50), reference)
        covered += found["low"] <= 0.9 <= found["high"]
    assert abs(covered / 2000 - 0.95) < 5 * 0.0049


def _run(logits: list[list[float]], called: list[list[int]], numbers: range) -> dict:
    pictures = np.zeros((len(logits), len(numbers), 4, 4, 3), np.uint8)
    return {
        "images": pictures,
        "start": pictures[0],
        "logits": np.array(logits),
        "gradients": np.array([10, 20]),
        "numbers": np.array(numbers),
        "labels": np.array(["cat"] * len(numbers)),
        report.called("folder/robust"): CLASSES[np.array(called)],
        "settings": np.array("a"),
    }


def test_tables_are_of_the_pictures_that_both_recipes_made(tmp_path):
    """Two batches of the paper's, one of fast: ratios pair pictures, shares count them all."""
    first = _run([[1, 2], [2, 4]], [[1, 1], [0, 1]], range(2))
    second = _run([[9, 9], [9, 9]], [[0, 0], [0, 0]], range(2, 4))
    fast = _run([[1, 2], [3, 6]], [[1, 0], [0, 0]], range(2))
    for recipe, number, run in (("paper", 0, first), ("paper", 2, second), ("fast", 0, fast)):
        report.write_arrays(report.run_file(tmp_path, "nets/small", recipe, number), run)
    report.draw(tmp_path)
    with (tmp_path / "less-work.csv").open() as file:
        rows = {(row["recipe"], row["gradients"]): row for row in csv.DictReader(file)}
    assert list(rows) == [("fast", "10"), ("fast", "20"), ("paper", "10"), ("paper", "20")]
    last = rows["fast", "20"]
    assert (last["network"], last["judge"], last["count"]) == ("small", "robust", "2")
    assert [float(last[name]) for name in ("logit", "of_paper", "of_paper_low")] == [4.5, 1.5, 1.5]
    assert float(last["transfer"]) == 1.0
    assert float(rows["paper", "20"]["logit"]) == 6.0
    assert float(rows["paper", "20"]["transfer"]) == 0.75
    for name in ("small.png", "less-work.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    with (tmp_path / "pictures.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 2 * (2 + 2 + 2)


def test_a_run_of_other_settings_is_refused(tmp_path):
    file = report.run_file(tmp_path, "small", "paper, N = 1", 0)
    assert file.name == "paper-N-1-00000.npz"
    assert not report.is_done(file, "a", np.arange(2))
    report.write_arrays(file, _run([[1, 2], [2, 4]], [[1, 1], [0, 1]], range(2)))
    assert report.is_done(file, "a", np.arange(2))
    for settings, numbers in (("b", np.arange(2)), ("a", np.arange(3))):
        with pytest.raises(SystemExit, match="choose another --out"):
            report.is_done(file, settings, numbers)


def test_a_sheet_shows_pictures_of_every_batch():
    """Three pictures in one batch or in two make the same sheet, wider than that of one."""
    whole = _run([[1, 2, 3], [2, 4, 6]], [[1, 1, 1], [0, 1, 1]], range(3))
    first = _run([[1], [2]], [[1], [0]], range(1))
    rest = _run([[2, 3], [4, 6]], [[1, 1], [1, 1]], range(1, 3))
    parts = report.sheet([("paper", first), ("paper", rest)])
    assert parts == report.sheet([("paper", whole)])
    assert parts != report.sheet([("paper", first)])


def test_the_figure_leaves_out_a_judge_that_was_not_asked(monkeypatch):
    drawn = []
    monkeypatch.setattr(report, "_plot", lambda _, rows, *others: drawn.append(len(rows)))
    row = {"gradients": 100, "logit": 2.0, "logit_low": 1.0, "logit_high": 3.0, "recipe": "fast"}
    shares = {"transfer": 0.5, "transfer_low": 0.2, "transfer_high": 0.8}
    asked = {**row, **shares, "network": "a", "judge": "robust"}
    png = report.figure([asked, {**row, "network": "b"}])
    assert png.startswith(b"\x89PNG")
    assert drawn == [1, 1, 1]  # two logits, and one judge of one network
