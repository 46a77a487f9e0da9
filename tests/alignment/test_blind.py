"""Files of blind tests: read, counted, or refused by line."""

from __future__ import annotations

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pagjax.alignment import blind
from pagjax.alignment.blind import COLUMNS, Answer, BlindTestError

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=9)
LINE = "me,7,smoothed,cat,tench,church\n"


def _write(path, answers, columns=COLUMNS):
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows([vars(answer) for answer in answers])
    return path


@given(
    st.lists(st.tuples(WORDS, WORDS, WORDS, WORDS), min_size=1, max_size=8),
    st.permutations(COLUMNS),
)
def test_answers_survive_any_order_of_columns(tmp_path_factory, entries, columns):
    answers = [
        Answer(reader, str(number), network, "start", target, answer)
        for number, (reader, network, target, answer) in enumerate(entries)
    ]
    path = tmp_path_factory.mktemp("answers") / "answers.csv"
    assert blind.read_answers([_write(path, answers, columns)]) == answers


def test_shares_by_network_are_exact():
    answers = [
        Answer("me", str(i), "a", "s", "tench", "tench" if i < 3 else "none") for i in range(9)
    ]
    answers.append(Answer("me", "9", "b", "s", "church", "tench"))
    found = blind.recognised(answers)
    assert list(found) == ["a", "b"]
    assert found["a"].value == pytest.approx(1 / 3)
    exact = stats.binomtest(3, 9).proportion_ci(0.95, "exact")
    assert found["a"][1:] == pytest.approx((exact.low, exact.high))
    assert found["b"].value == 0
    assert "looked: me" in blind.table(answers)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("reader,picture\nme,1\n", "no column network, start, target, answer"),
        (f"{','.join(COLUMNS)}\n", "no answers"),
        (f"{','.join(COLUMNS)}\n{LINE}me,8,smoothed,cat,,none\n", "line 3: no target"),
        (f"{','.join(COLUMNS)}\n{LINE}{LINE}", "line 3: me answered picture 7 before"),
        ("\x00\x01", "no column|no file of answers"),
    ],
)
def test_other_files_are_refused_by_line(tmp_path, text, message):
    path = tmp_path / "answers.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BlindTestError, match=message):
        blind.read_answers([path])


def test_files_that_cannot_be_read_are_named(tmp_path):
    (tmp_path / "latin.csv").write_bytes(b"\xff\xfe\xfa")
    for name in ("missing.csv", "latin.csv"):
        with pytest.raises(BlindTestError, match=name):
            blind.read_answers([tmp_path / name])
