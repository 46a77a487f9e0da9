"""The settings beside a log as a record: of every age, and of whatever people made of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pagjax.certified_logs import reading, settings
from pagjax.certified_logs.job import LogJob, settings_file
from pagjax.certified_logs.settings import Data, Told

EARLIER = Path(__file__).parents[1] / "earlier/files/certified/certify-sigma_0.25.tsv"


@pytest.fixture
def beside(tmp_path):
    """Writes values beside a log."""

    def write(values):
        log = tmp_path / "log.tsv"
        settings_file(log).write_text(json.dumps(values))
        return log

    return write


def test_settings_of_the_version_before_are_read():
    told = reading.settings_of(EARLIER)
    assert told == settings.peek(EARLIER)
    written = json.loads(settings_file(EARLIER).read_text())
    job = written["job"]
    for name in ("sigma", "checkpoint", "data", "split", "image_size", "method", "rivals"):
        assert getattr(told, name) == job[name]
    assert (told.num_draws, told.alpha, told.preprocessing) == (100, 0.001, "cover")
    assert (told.class_name, told.staged, told.sound) == (None, False, False)
    assert told.of_data == Data(**{**written["data"], "damaged": ()})


def test_a_job_is_read_back_from_its_values(beside):
    written = json.loads(settings_file(EARLIER).read_text())
    job = reading.job_of(EARLIER)
    assert settings.plain(job) == written["job"] | {"sound": False}
    staged = beside({"job": settings.plain(job) | {"radii": [0.0, 0.5], "sound": True}})
    told = reading.settings_of(staged)
    assert (told.staged, told.sound, told.of_data) == (True, True, None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_draws", "many"),
        ("num_draws", True),
        ("num_draws", 1.5),
        ("alpha", "small"),
        ("alpha", 10**400),
        ("checkpoint", 3),
        ("preprocessing", ["cohen"]),
    ],
)
def test_a_value_of_another_kind_says_nothing(beside, name, value):
    told = reading.settings_of(beside({"job": {"sigma": 0.5, name: value}}))
    assert told == Told(sigma=0.5)


def test_whole_numbers_are_numbers(beside):
    assert reading.settings_of(beside({"job": {"sigma": 1}})) == Told(sigma=1.0)


@pytest.mark.parametrize("values", [[], 3, "job", None])
def test_what_is_no_record_is_not_peeked_at(beside, values):
    assert settings.peek(beside(values)) is None


def test_a_log_without_settings_says_nothing(tmp_path):
    assert reading.settings_of(tmp_path / "log.tsv") == Told()
    assert reading.job_of(tmp_path / "log.tsv") is None
    assert settings.peek(tmp_path / "log.tsv") is None


def test_what_logs_of_before_do_not_name_is_as_a_job_has_it(beside):
    """But the network's function, of which nobody knows."""
    job = reading.job_of(EARLIER)
    values = settings.plain(job)
    later = ("preprocessing", "class_name", "platform", "sound", "network_sha256")
    log = beside({"job": {name: values[name] for name in values if name not in later}})
    settings.check(log, job, None)
    other = LogJob(**{**values, "preprocessing": "cohen"})
    with pytest.raises(settings.LogError, match="preprocessing: 'cover', now 'cohen'"):
        settings.check(log, other, None)
