"""Logs, tables and curves: published logs give their published tables."""

from __future__ import annotations

import csv
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pagjax import certify as command
from pagjax.certification import ABSTAIN
from pagjax.certified_logs import logs, plot, report
from pagjax.certified_logs.tallies import tally_of

# Certified accuracy at radii 0, .25, ... and average certified radius, as published with the logs.

PUBLISHED = {
    "salman/certify/best_models/cifar10/cohen/resnet110/noise_0.12/test/sigma_0.12": (
        [0.8317, 0.5977],
        0.276,
    ),
    "salman/certify/best_models/cifar10/cohen/resnet110/noise_0.25/test/sigma_0.25": (
        [0.7665, 0.6116, 0.4225, 0.2506],
        0.424,
    ),
    "salman/certify/best_models/cifar10/cohen/resnet110/noise_0.50/test/sigma_0.50": (
        [0.6568, 0.5491, 0.4279, 0.3245, 0.2197, 0.1412, 0.0826],
        0.525,
    ),
    "salman/certify/best_models/cifar10/cohen/resnet110/noise_1.00/test/sigma_1.00": (
        [0.4715, 0.4094, 0.3377, 0.2768, 0.2213, 0.1722, 0.1328],
        0.511,
    ),
    "jeong/certify/cifar10/cohen/cifar_resnet20/noise_0.50_7483": (
        [0.6698, 0.5536, 0.4282, 0.3141, 0.2196, 0.1390, 0.0814],
        0.524,
    ),
    "jeong/certify/cifar10/stab/lbd_2/cifar_resnet20/noise_0.5_1682": (
        [0.6016, 0.5015, 0.4053, 0.3101, 0.2215, 0.1490, 0.0821],
        0.499,
    ),
    "jeong/certify/cifar10/salman/pgd_255.0_10_10/num_8/cifar_resnet20/noise_0.50_8916": (
        [0.6303, 0.5646, 0.4894, 0.4175, 0.3489, 0.2810, 0.2131],
        0.692,
    ),
}
# Of Cohen et al.'s own logs: images, certified accuracy at radii, share of abstentions.
COHEN = {
    "imagenet/resnet50/noise_0.25/test/sigma_0.25": (
        427,
        {0: 0.667, 0.25: 0.581, 0.5: 0.494, 1: 0},
        0.089,
    ),
    "imagenet/resnet50/noise_0.50/test/sigma_0.50": (
        500,
        {0: 0.572, 0.25: 0.518, 0.5: 0.458, 1: 0.372, 1.5: 0.286, 2: 0},
        0.164,
    ),
    "imagenet/resnet50/noise_1.00/test/sigma_1.00": (
        500,
        {0: 0.436, 0.5: 0.378, 1: 0.326, 1.5: 0.26, 2: 0.194, 2.5: 0.148, 3: 0.122},
        0.296,
    ),
    "cifar10/resnet110/noise_0.12/test/sigma_0.12": (500, {0: 0.814, 0.25: 0.586, 0.5: 0}, 0.038),
    "cifar10/resnet110/noise_0.25/test/sigma_0.25": (
        500,
        {0: 0.748, 0.25: 0.6, 0.5: 0.428, 0.75: 0.266, 1: 0},
        0.086,
    ),
    "cifar10/resnet110/noise_0.50/test/sigma_0.50": (
        500,
        {0: 0.652, 0.5: 0.414, 1: 0.234, 1.5: 0.094, 2: 0},
        0.166,
    ),
    "cifar10/resnet110/noise_1.00/test/sigma_1.00": (
        500,
        {0: 0.472, 0.5: 0.34, 1: 0.216, 1.5: 0.14, 2: 0.1},
        0.29,
    ),
}
HEADER = logs.header(logs.CERTIFY)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_logs_give_the_published_tables(shared, name):
    accuracies, radius = PUBLISHED[name]
    radii = [0.25 * step for step in range(len(accuracies))]
    summary = report.summarise(logs.read(shared / "logs" / name), name, radii=radii)
    assert [share.value for share in summary.accuracies] == pytest.approx(accuracies, abs=1e-9)
    assert summary.average_radius == pytest.approx(radius, abs=5e-4)
    assert summary.images == 10_000


@pytest.mark.parametrize("name", COHEN)
def test_cohens_logs_give_cohens_tables(shared, name):
    images, accuracies, abstention = COHEN[name]
    path = shared / "logs/cohen/certify" / name
    summary = report.summarise(
        logs.read(path), name, sigma=report.sigma_of(path), radii=list(accuracies)
    )
    assert (summary.images, summary.sigma) == (images, float(name[-4:]))
    found = [share.value for share in summary.accuracies]
    assert found == pytest.approx(list(accuracies.values()), abs=5e-4)
    assert summary.abstention.value == pytest.approx(abstention, abs=5e-4)


def test_every_published_log_is_read_and_the_curve_file_refused(shared):
    for path in sorted((shared / "logs").rglob("*")):
        if path.is_dir():
            continue
        if path.name.endswith("_acc"):
            with pytest.raises(logs.LogError, match="line 1"):
                logs.read(path)
            continue
        log = logs.read(path)
        labels = np.array([line.label for line in log.lines])
        assert (log.correct == (log.predictions == labels)).all()
        assert (log.radii[log.predictions == ABSTAIN] == 0).all()


def test_predictions_and_abstentions_of_a_published_log(shared):
    folder = shared / "logs/cohen/predict/imagenet/resnet50/noise_0.25/test"
    summary = report.summarise(logs.read(folder / "N_100"), "N_100")
    assert summary.accuracies[0].value == pytest.approx(0.660)
    assert summary.abstention.value == pytest.approx(0.092)
    assert summary.average_radius is None


numbers = st.integers(0, 10**6)


@given(
    st.builds(
        logs.Line,
        numbers,
        numbers,
        st.integers(-1, 999),
        st.floats(0, 50),
        st.booleans(),
        st.integers(0, 10**12).map(lambda microseconds: microseconds / 1e6),
        st.none(),
        st.none()
        | st.builds(tally_of, arrays(np.int64, 12, elements=numbers), st.just(12 * 10**6)),
    )
)
@settings(max_examples=50, deadline=None, derandomize=True)
def test_lines_survive_writing_and_radii_never_grow(line):
    columns = logs.CERTIFY if line.votes is None else (*logs.CERTIFY, logs.VOTES)
    (again,) = logs.parse(logs.header(columns) + logs.text_of(line)).lines
    assert again.radius <= line.radius < again.radius + 1e-6 + 1e-12
    assert again.seconds == pytest.approx(line.seconds, abs=2e-6)
    same = {"radius": None, "seconds": 0.0}
    assert again._replace(**same) == line._replace(**same)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty file"),
        ("0.0\t0.9\n", "not the header"),
        (HEADER + "1\t2\t3\n", "line 2: 3 columns instead of 6"),
        (HEADER + "1\t2\t2\tnan\t1\t0:00:01\n", "radius nan"),
        (HEADER + "1\t2\t2\t0.1\t2\t0:00:01\n", "line 2"),
        (HEADER + "1\t2\t2\t0.1\t1\tsoon\n", "time 'soon'"),
    ],
)
def test_what_is_no_log_is_named(text, message):
    with pytest.raises(logs.LogError, match=message):
        logs.parse(text)


def test_known_variants_are_read():
    text = HEADER.replace("\n", "\r\n") + "0\t1\t1\t7.11e-05\t1\t1 day, 0:00:02\r\n"
    (line,) = logs.parse(text).lines
    assert (line.radius, line.seconds) == (7.11e-05, 86402.0)
    assert logs.parse(HEADER).lines == ()
    summary = report.summarise(logs.parse(HEADER), "none")
    assert math.isnan(summary.average_radius)
    assert " - " in report.text_table([summary]) + " "


def test_the_curve_is_the_certified_accuracy():
    rows = [logs.Line(i, 0, 0 if i % 3 else 1, i / 7, bool(i % 3), 0.0) for i in range(20)]
    log = logs.Log(logs.CERTIFY, tuple(rows))
    radii, accuracy = plot.curve(log)
    direct = [(log.correct & (log.radii >= radius)).mean() for radius in radii]
    np.testing.assert_allclose(accuracy, direct)


def test_reports_print_tables_and_draw(tmp_path, capsys):
    path = tmp_path / "a_b" / "sigma_0.5"
    path.parent.mkdir()
    path.write_text(HEADER + "0\t1\t1\t0.6\t1\t1\n1\t1\t-1\t0.0\t0\t1\n")
    assert command.main(["report", str(path), "--plot", str(tmp_path / "curves.svg")]) == 0
    assert "50.00 (1.3-98.7)" in capsys.readouterr().out
    assert b"<svg" in (tmp_path / "curves.svg").read_bytes()
    assert command.main(["report", str(path), "--format", "csv", "--radii", "0.5", "1"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [float(row["certified_accuracy"]) for row in rows] == [0.5, 0.0]
    assert {row["sigma"] for row in rows} == {"0.5"}
    assert command.main(["report", str(path), "--format", "latex", "--names", "a_b"]) == 0
    row = next(row for row in capsys.readouterr().out.splitlines() if row.startswith(r"a\_b & 0.5"))
    assert r"& 50.00\% {\scriptsize (1.3--98.7)} & 0.00\% {\scriptsize (0.0--84.2)} &" in row
    assert r"& 0.300 {\scriptsize (0.000--4.112)} & 50.00\%" in row
    assert command.main(["report", str(path), "--card", "nowhere"]) == command.EXIT_REFUSED
    assert command.main(["report", str(tmp_path / "missing")]) == command.EXIT_REFUSED
