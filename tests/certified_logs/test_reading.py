"""What users bring to `report`: right, told or refused, whatever the columns and separators."""

from __future__ import annotations

import csv
import io
import json
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pagjax import certify as command
from pagjax.certified_logs import logs, plot, reading, report

HEADER = logs.header(logs.CERTIFY)
GOOD = "0\t3\t3\t0.412\t1\t0:00:12.1\n1\t2\t5\t0.2\t0\t0:00:11\n2\t7\t-1\t0.0\t0\t0:00:13.5\n"
CANONICAL = HEADER + GOOD


def _table(text):
    log = logs.check(logs.parse(text))
    return report.csv_table([report.summarise(log, "log", radii=(0.0, 0.25, 0.5))])


def _read(tmp_path, text, name="log.tsv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def _report(path, capsys, *more):
    status = command.main(["report", str(path), *more])
    told = capsys.readouterr()
    assert "Traceback" not in told.err
    return status, told.out, told.err


# The one property: a log in any order and spelling gives the table of the canonical one.

lines = st.lists(
    st.builds(
        lambda label, kind, other, radius, seconds: logs.Line(
            0,
            label,
            {"right": label, "wrong": (label + other) % 1000, "abstains": -1}[kind],
            0.0 if kind == "abstains" else radius,
            kind == "right",
            seconds,
        ),
        st.integers(0, 999),
        st.sampled_from(["right", "right", "wrong", "abstains"]),
        st.integers(1, 999),
        st.integers(0, 4000).map(lambda thousandths: thousandths / 1000),
        st.integers(0, 10**6).map(lambda hundredths: hundredths / 100),
    ),
    min_size=1,
    max_size=12,
)
TRUTHS = [("0", "1"), ("False", "True"), ("0.0", "1.0"), ("FALSE", "TRUE"), ("false", "true")]
EXTRAS = {
    "pA": lambda rng: f"{rng.random():.3f}",
    "samplesize": lambda rng: str(rng.randrange(10**5)),
    "time_forward": lambda rng: "0:00:12.1",
    "note": lambda rng: "",
}
TIMES = [
    lambda seconds: f"{seconds:g}",
    lambda seconds: f"{int(seconds) // 3600}:{int(seconds) // 60 % 60:02}:{seconds % 60:09.6f}",
    lambda seconds: f"{int(seconds) // 86400} days, {int(seconds) % 86400 // 3600}:00:{1.5:04}",
]


def _spelt(found, rng):
    """The same log in another order, spelling and separator."""
    separator = rng.choice(["\t", ",", ", ", "   ", ";", "\t "])
    extras = [name for name in EXTRAS if rng.random() < 0.4]
    if not separator.strip(" "):  # between spaces an empty cell is none
        extras = [name for name in extras if name != "note"]
    names = [*logs.CERTIFY, *extras]
    rng.shuffle(names)
    truth, time = rng.choice(TRUTHS), rng.choice(TIMES)
    whole = rng.choice([str, lambda number: f"{number}.0"])
    rows = [separator.join(rng.choice([str.upper, str.title, str])(name) for name in names)]
    for number, line in enumerate(found):
        cells = {
            "idx": whole(number),
            "label": whole(line.label),
            "predict": whole(line.prediction),
            "radius": rng.choice([f"{line.radius:.3f}", f"{line.radius:.6e}"]),
            "correct": truth[line.correct],
            "time": time(line.seconds),
            **{name: EXTRAS[name](rng) for name in extras},
        }
        rows.append(separator.join(cells[name] for name in names))
    end = rng.choice(["\n", "\r\n", "\r"])
    text = end.join(rows) + rng.choice([end, end * 3, "", end + "  " + end])
    return (rng.choice(["", "\ufeff", end]) + text).encode(rng.choice(["utf-8", "utf-16"]))


@given(lines, st.integers(0, 2**32).map(random.Random))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_a_log_in_any_order_and_spelling_gives_the_same_table(tmp_path_factory, found, rng):
    canonical = HEADER + "".join(
        f"{number}\t{line.label}\t{line.prediction}\t{line.radius:.3f}\t{line.correct:d}\t1\n"
        for number, line in enumerate(found)
    )
    path = _read(tmp_path_factory.mktemp("log", numbered=True), _spelt(found, rng))
    log = reading.read(path)
    again = report.csv_table([report.summarise(log, "log", radii=(0.0, 0.25, 0.5))])
    assert again == _table(canonical)
    assert log.left_out == ()


@given(st.binary(max_size=200), st.integers(0, 10**6))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_a_damaged_log_is_read_or_refused_in_one_line(noise, place):
    content = bytearray(CANONICAL.encode() * 2)
    place %= len(content)
    content[place : place + len(noise) % 7] = noise
    told = ""
    try:
        logs.check(logs.parse(bytes(content).decode("utf-8", "replace")))
    except logs.LogError as error:
        told = str(error)
    assert "\n" not in told
    assert len(told) < 600


def test_columns_of_others_are_read_by_name(tmp_path, capsys):
    text = "idx\tlabel\tpredict\tpA\tsamplesize\tradius\tcorrect\ttime_forward\n"
    path = _read(tmp_path, text + "0\t3\t3\t0.99\t24000\t0.412\t1\t0:00:12.1\n")
    status, out, err = _report(path, capsys, "--format", "csv")
    assert status == 0
    assert out.splitlines()[2].split(",")[5:7] == ["0.25", "1.0"]
    assert "columns not used: pA, samplesize, time_forward" in err
    path = _read(tmp_path, HEADER + "0\t3\t3\t0.412\tTrue\t0:00:12.1\n")
    assert _report(path, capsys)[0] == 0
    assert logs.read(path).lines == (logs.Line(0, 3, 3, 0.412, True, 12.1),)


def test_logs_without_a_header_are_taken_in_the_published_order(tmp_path, capsys):
    status, _, err = _report(_read(tmp_path, GOOD), capsys)
    assert status == 0
    assert "no header: columns taken as idx label predict radius correct time" in err
    assert _table(GOOD) == _table(CANONICAL)
    five = "0\t3\t3\t1\t0:00:12\n"
    assert logs.parse(five).columns == logs.PREDICT
    with pytest.raises(logs.LogError, match="may be a radius or the base network's"):
        logs.parse("0\t3\t3\t2\t1\t0:00:12\n1\t3\t3\t3\t1\t0:00:12\n")
    assert math.isnan(logs.parse("idx,label,predict\n0,1,1\n").lines[0].seconds)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ("3\t4\t4\t0.1\t0\t1\n", "line 5 (correct 0, but label 4 and predict 4)"),
        ("3\t4\t5\t0.1\t1\t1\n", "line 5 (correct 1, but label 4 and predict 5)"),
        ("3\t4\t-1\t0.0\t1\t1\n", "line 5 (abstains (predict -1), but correct 1)"),
        ("3\t4\t-1\t0.3\t0\t1\n", "line 5 (abstains (predict -1), but radius 0.3)"),
        ("0\t3\t3\t0.412\t1\t0:00:59\n", "line 5 (the same as line 2)"),
        ("3\t4\t4\t0.", "line 5 (4 columns instead of 6: cut off)"),
        ("3\t4\t4\t0.1\t1\t0:0", "line 5 (time '0:0': cut off)"),
        ("3\t4\t4\t99\t1\t1\n", "line 5 (radius 99, and any draws at sigma 2 certify"),
    ],
)
def test_lines_that_make_no_sense_are_left_out_and_told(tmp_path, capsys, more, reason):
    status, out, err = _report(_read(tmp_path, CANONICAL + more), capsys, "--format", "csv")
    assert status == command.EXIT_SOME_SKIPPED
    assert "1 of 4 lines left out" in err
    assert reason in err
    told = out.splitlines()[1].split(",")
    assert told[2] == "3"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (CANONICAL + "0\t3\t3\t0.5\t1\t1\n", "lines 2 and 5 are both of image 0, and contradict"),
        (CANONICAL + "0\t3\t4\t0.412\t0\t1\n", "lines 2 and 5 are both of image 0"),
        (HEADER + "0\t3\t3\tinf\t1\t1\n", "line 2: "),
        (HEADER + "0\t3\t3\t-0.1\t1\t1\n", "radius -0.1"),
        (HEADER + "0\t3\t1" + "0" * 30 + "\t0.1\t0\t1\n", "predict '1000"),
        (HEADER + "0\t3\t-2\t0.1\t0\t1\n", "predict '-2'"),
        (HEADER + "-1\t3\t3\t0.1\t1\t1\n", "idx '-1'"),
        (HEADER + "0\t3\t3\t0.1\tyes\t1\n", "correct 'yes'"),
        (HEADER + "0\t3\t3\t1_0.1\t1\t1\n", "radius 1_0.1"),
        (HEADER + "0\t3\t4\t0.1\t1\t1\n", "correct 1, but label 3 and predict 4; no line is left"),
        (CANONICAL + "idx\tlabel\tpredict\tcorrect\ttime\n", "line 5: another header"),
        ("idx\tlabel\tpredikt\tradius\tcorrect\ttime\n", "no column predict; is it 'predikt'?"),
        ("idx\tlabel\tpredict\trad\tcorrect\ttime\n", "no column radius"),
        ("idx\tlabel\tpredict\tradius\tRADIUS\n", "the column radius 2 times"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"\x00" * 99, "not the header"),
        (CANONICAL.encode("latin-1") + b"\xe9\t3\n", "cannot be read"),
    ],
)
def test_what_cannot_be_told_is_refused_in_one_line(tmp_path, capsys, text, told):
    status, out, err = _report(_read(tmp_path, text), capsys)
    assert (status, out) == (command.EXIT_REFUSED, "")
    assert told in err
    assert err.count("\n") == 1
    assert "log.tsv" in err


def test_a_folder_is_no_log(tmp_path, capsys):
    status, out, err = _report(tmp_path, capsys)
    assert (status, out) == (command.EXIT_REFUSED, "")
    assert err == f"error: {tmp_path}: a folder; name a log in it\n"


def test_a_log_begun_twice_is_counted_once(tmp_path, capsys):
    status, out, err = _report(_read(tmp_path, CANONICAL * 2), capsys, "--format", "csv")
    assert status == command.EXIT_SOME_SKIPPED
    assert "line 5 is the header again" in err
    assert "3 of 6 lines left out" in err
    assert (
        out
        == report.csv_table(
            [report.summarise(logs.parse(CANONICAL), "log.tsv", radii=report.RADII)]
        )
        + "\n"
    )


def test_a_radius_that_lost_its_exponent_is_no_radius():
    text = "idx,label,predict,correct,radius\n0,3,3,1,0.5\n1,4,4,1,7.11e-0"
    assert logs.parse(text).left_out[0].at == 3
    assert logs.parse(text + "5\n").lines[1].radius == 7.11e-05


def test_days_in_times_hold_no_separator():
    for separator in (",", " ", "\t"):
        names, cells = logs.CERTIFY, ["0", "3", "3", "0.4", "1", "1 day, 0:00:02"]
        text = separator.join(names) + "\n" + separator.join(cells) + "\n"
        assert logs.parse(text).lines[0].seconds == 86402.0


def _settings(path, job):
    path.with_name(path.name + ".json").write_text(job if isinstance(job, str) else json.dumps(job))


def test_radii_beyond_what_the_draws_can_prove_are_left_out(tmp_path, capsys):
    best = 0.25 * stats.norm.ppf(0.001 ** (1 / 1000))
    text = HEADER + f"0\t1\t1\t{best:.6f}\t1\t1\n1\t1\t1\t{best + 0.02:.6f}\t1\t1\n"
    path = _read(tmp_path, text)
    _settings(path, {"job": {"sigma": 0.25, "method": "hard", "num_draws": 1000, "alpha": 0.001}})
    status, _, err = _report(path, capsys)
    assert status == command.EXIT_SOME_SKIPPED
    assert "1 of 2 lines left out: line 3" in err
    assert "1,000 draws at sigma 0.25 certify at most" in err


@pytest.mark.parametrize(
    ("job", "told"),
    [
        ("{", "is no JSON"),
        ("[1]", "holds no record"),
        ({"job": 3}, "job is 3, not an object"),
        ({}, "job is missing"),
        ({"job": {"sigma": "0.25"}}, "job.sigma is '0.25', not a number"),
        ({"job": {"sigma": -1}}, "job.sigma is -1"),
        ('{"job": {"sigma": NaN}}', "job.sigma is nan"),
        ({"job": {"sigma": 0.25, "method": "hard"}}, "job.num_draws is missing"),
        ("[" * 100_000, "is no JSON"),
    ],
)
def test_edited_settings_are_named_with_their_field(tmp_path, capsys, job, told):
    path = _read(tmp_path, CANONICAL)
    _settings(path, job)
    status, _, err = _report(path, capsys)
    assert status == command.EXIT_REFUSED
    assert told in err
    assert "log.tsv.json" in err
    assert err.count("\n") == 1


def test_logs_of_other_images_in_one_table_are_told(tmp_path, capsys):
    one = _read(tmp_path, CANONICAL, "one.tsv")
    other = _read(tmp_path, HEADER + "0\t4\t4\t0.1\t1\t1\n9\t4\t4\t0.1\t1\t1\n", "other.tsv")
    assert command.main(["report", str(one), str(other)]) == 0
    err = capsys.readouterr().err
    assert "not of the same images: 3 in one.tsv; 2 in other.tsv; 1 in all" in err
    assert "image 0 has label 3 in one and 4 in the other" in err


def test_tables_escape_names(tmp_path, capsys):
    path = _read(tmp_path, CANONICAL)
    name = "\\x ~^&%$#_{}\n"
    status, out, _ = _report(path, capsys, "--format", "latex", "--names", name)
    assert status == 0
    cell = next(line for line in out.splitlines() if "textbackslash" in line).split(" & ")[0]
    assert cell == (r"\textbackslash{}x \textasciitilde{}\textasciicircum{}\&\%\$\#\_\{\}")
    for formula in ("=1+1", "+1+1", "-1+1", "@sum", "\t=x", "\r=x", " =x"):
        _, out, _ = _report(path, capsys, "--format", "csv", f"--names={formula}")
        rows = list(csv.reader(io.StringIO(out, newline="")))
        assert rows[1][0] in ("'" + formula, "'" + formula.strip())
    _, out, _ = _report(path, capsys, "--format", "csv", "--names=-0.5")
    assert out.splitlines()[1].startswith("-0.5,")
    _, out, _ = _report(path, capsys, "--names", "a\x1b[2Jb\nc")
    assert "\x1b" not in out
    log = logs.parse(CANONICAL)
    drawn = plot.draw([log, log], ["_$x_{", "a"], format="svg")
    assert b"<svg" in drawn


def test_the_order_of_lines_is_no_matter():
    body = GOOD.splitlines(keepends=True)
    random.Random(0).shuffle(body)
    assert _table(HEADER + "".join(body)) == _table(CANONICAL)


def test_no_card_is_filled_from_a_log_that_lost_lines(tmp_path, capsys):
    path = _read(tmp_path, CANONICAL + "3\t4\t4\t0.1\t0\t1\n")
    status, _, err = _report(path, capsys, "--card", "nowhere")
    assert status == command.EXIT_REFUSED
    assert "lines of the logs were left out" in err
