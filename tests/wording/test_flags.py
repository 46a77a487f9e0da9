"""Settings in messages become the flags of the command that was typed, and only those."""

from __future__ import annotations

import argparse

import pytest

from pagjax.jobs.command_line import guarded
from pagjax.jobs.errors import JobError
from pagjax.wording.flags import in_flags


@pytest.mark.parametrize(
    ("text", "names", "told"),
    [
        ("pass `overwrite`", ["overwrite"], "pass --overwrite"),
        ("`train_split` and `test_split`", ["train_split"], "--train-split and `test_split`"),
        ("`class_name=a cat` is", ["class_name"], "--class a cat is"),
        ("`probe_folder=DIR` decides", ["probe"], "--probe DIR decides"),
        ("`max_pool=False` or `max_pool=True`", ["max_pool"], "--no-max-pool or --max-pool"),
        ("`python -m pagjax.fit_seeds`", ["python"], "`python -m pagjax.fit_seeds`"),
    ],
)
def test_settings_are_spelled_as_flags(text, names, told):
    assert in_flags(text, names) == told


def test_a_refusal_names_the_flags_of_the_command(capsys):
    def run(args):
        raise JobError("choose another `out`, or pass `split`")

    assert guarded(run, argparse.Namespace(out="a")) == 2
    assert capsys.readouterr().err == "error: choose another --out, or pass `split`\n"
