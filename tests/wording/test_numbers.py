"""Numbers as people write them: read exactly, or refused in one line that says how."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pagjax import align, fit_seeds, train
from pagjax.arguments import certification as certificates
from pagjax.arguments import synthesis
from pagjax.figures import __main__ as figures
from pagjax.wording import numbers
from pagjax.wording.names import closest

UNITS = "in units of [0, 1]; 0.25, not 64 or 25%"


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_decimals_are_read_as_they_are(value):
    assert numbers.real(repr(value)) == value
    assert numbers.real(f" {value!r}\n") == value


@given(st.integers(0, 10**6), st.integers(1, 10**6))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_ratios_are_read(above, below):
    assert numbers.real(f"{above}/{below}") == above / below
    assert numbers.real(f"{above} / {below}") == float(Fraction(above, below))


@given(st.integers(0, 2**63 - 1))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_whole_numbers_are_read_exactly_in_every_spelling(value):
    for text in (str(value), f"{value:,}", f"{value:_}", f"{value}.0", f"{value}e0", f"+{value}"):
        assert numbers.whole(text) == value


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_any_text_is_a_number_or_refused_in_one_line(text):
    for read in (numbers.real, numbers.length, numbers.whole, numbers.seed, numbers.share):
        told = ""
        try:
            assert math.isfinite(read(text))
        except ValueError as error:
            told = str(error)
        assert len(told.splitlines()) <= 1
        assert len(told) < 250


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("64", "at most 2"),
        ("2.001", "at most 2"),
        ("25%", "write 0.25"),
        ("0,25", "write 0.25"),
        ("nan", "finite"),
        ("inf", "finite"),
        ("-inf", "finite"),
        ("1e999", "finite"),
        ("-0.25", "at least 0"),
        ("-1e-400", ""),
        ("8/0", "divides by zero"),
        ("8/255/2", "no number"),
        ("0x1", "no number"),
        ("1_0.5", "no number"),
        ("", "no number"),
        ("quarter", "no number"),
        ("٠.٢٥", "no number"),
    ],
)
def test_what_is_no_noise_level_is_told_with_the_unit(text, told):
    if not told:
        assert numbers.length(text) == 0
        return
    with pytest.raises(ValueError, match="64 or 25%") as refused:
        numbers.length(text, most=numbers.MOST_SIGMA)
    assert told in str(refused.value)


@pytest.mark.parametrize(
    "text", ["1.5", "1e-1", "1/2", "1,00", "1,0000", "1e99999", "nan", "ten", "1e400"]
)
def test_what_is_no_whole_number_is_told(text):
    with pytest.raises(ValueError, match=r"whole number|at most|at least"):
        numbers.whole(text)


def test_seeds_that_would_repeat_others_are_told():
    # jax.random.key keeps 32 bits, so a larger seed draws what a smaller one does.
    assert [numbers.seed(text) for text in ("0", "1e3", "4294967295")] == [0, 1000, 2**32 - 1]
    for text in ("-1", "4294967296", "9223372036854775808", "1e30", "0.5"):
        with pytest.raises(ValueError, match=r"seeds lie|whole|at most"):
            numbers.seed(text)


def test_the_box_is_as_long_as_its_diagonal():
    assert numbers.check_in_box("epsilon", 55.42, (32, 32, 3)) == 55.42
    for wrong in (55.5, 64.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="64 or 25%"):
            numbers.check_in_box("epsilon", wrong, (32, 32, 3))


# Every option of every command that is a length, a count or a seed.
COMMANDS = {
    "synthesize": (synthesis.parser, []),
    "certify": (certificates.parser, ["--checkpoint", "a"]),
    "report": (certificates.report_parser, ["log"]),
    "align": (align.parser, ["--networks", "a"]),
    "train": (train.parser, []),
    "figures": (figures.parser, []),
    "fit_seeds": (fit_seeds.parser, ["cifar10", "--out", "a.npz"]),
}
SIGMAS = [("synthesize", "--sigma"), ("certify", "--sigma"), ("align", "--sigma")]
SIGMAS += [("train", "--sigma"), ("figures", "--sigma")]
LENGTHS = [("synthesize", "--epsilon"), ("synthesize", "--step-size"), ("align", "--epsilon")]
LENGTHS += [("train", "--epsilon"), ("report", "--radii"), ("certify", "--staged")]
COUNTS = [("synthesize", "--num-samples"), ("synthesize", "--steps"), ("certify", "--num-draws")]
COUNTS += [("certify", "--limit"), ("align", "--count"), ("train", "--draws")]
COUNTS += [("train", "--batch-size"), ("figures", "--rows"), ("fit_seeds", "--image-size")]
SEEDS = [(name, "--seed") for name in ("synthesize", "certify", "align", "train", "figures")]


def _parse(command, *words):
    make, needed = COMMANDS[command]
    return make().parse_args([*needed, *words])


def _refused(command, option, text, capsys):
    with pytest.raises(SystemExit) as ended:
        _parse(command, f"{option}={text}")
    assert ended.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(("command", "option"), SIGMAS + LENGTHS)
def test_commands_read_ratios_and_tell_percents(command, option, capsys):
    name = option[2:].replace("-", "_")
    found = getattr(_parse(command, option, "8/255"), name)
    assert found in (8 / 255, [8 / 255])
    for text in ("25%", "0,25", "nan", "inf", "-1", "x"):
        assert UNITS in _refused(command, option, text, capsys)


@pytest.mark.parametrize(("command", "option"), SIGMAS)
def test_commands_tell_noise_that_is_in_other_units(command, option, capsys):
    assert "at most 2, " + UNITS in _refused(command, option, "64", capsys)


@pytest.mark.parametrize(("command", "option"), COUNTS)
def test_commands_read_counts_in_every_spelling(command, option, capsys):
    name = option[2:].replace("-", "_")
    for text in ("100000", "1e5", "100_000", "100,000"):
        assert getattr(_parse(command, option, text), name) == 100_000
    for text in ("0.5", "-1", "many", "1e99"):
        assert option in _refused(command, option, text, capsys)


@pytest.mark.parametrize(("command", "option"), SEEDS)
def test_commands_tell_seeds_that_repeat_others(command, option, capsys):
    assert getattr(_parse(command, option, "4294967295"), "seed") == 2**32 - 1  # noqa: B009
    for text in ("-1", "4294967296"):
        assert "seeds lie from 0 to 4,294,967,295" in _refused(command, option, text, capsys)


def test_the_closest_name_is_found_in_any_spelling():
    assert closest("GOLF_BAL", ["tench", "golf ball"]) == ["golf ball"]
    assert closest("x" * 10**5, ["tench"]) == []
