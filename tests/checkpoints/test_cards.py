"""Cards: files of every age are read as records and written back as they were."""

from __future__ import annotations

import dataclasses
import json

import pytest

from pagjax.checkpoints import CheckpointError, card_tables, cards, shipped
from pagjax.checkpoints.cards import CARD, Accuracies, Card, Skipped

CARDS = shipped.names()


@pytest.fixture
def folder(tmp_path):
    """Of a network that is under way: its card alone."""
    (tmp_path / CARD).write_bytes((shipped.path(CARDS[0]) / CARD).read_bytes())
    return tmp_path


@pytest.mark.parametrize("name", CARDS)
def test_a_card_is_written_back_to_the_byte(name, tmp_path):
    """Of the versions that wrote the shipped ones: with and without what was added later."""
    there, card = shipped.path(name), cards.read(shipped.path(name))
    card_tables.write(tmp_path, card)
    assert (tmp_path / CARD).read_bytes() == (there / CARD).read_bytes()
    table, theirs = ((f / card_tables.TABLE).read_text() for f in (tmp_path, there))
    if "started from" not in theirs:  # a row that the first tables did not have
        table = "".join(row for row in table.splitlines(True) if "started from" not in row)
    assert table == theirs


def test_the_public_card_says_the_same_as_the_record():
    for name in CARDS:
        assert shipped.card(name) == json.loads(
            json.dumps(cards.read(shipped.path(name)).to_json())
        )


def test_every_field_is_read_back(folder):
    whole = cards.read(folder)
    assert whole.certified
    card = dataclasses.replace(
        whole,
        skipped_images=Skipped(1, 2),
        certified=(dataclasses.replace(whole.certified[0], sound=True, platform="cpu"),),
        more={"note": "of its owner"},
    )
    card_tables.write(folder, card)
    assert cards.read(folder) == card
    assert "(hard, sound)" in (folder / card_tables.TABLE).read_text()
    assert "left out: 1 training images and 2 test images" in card_tables.markdown(card)


def test_what_a_card_has_not_is_not_written():
    reached = Accuracies(3, 1.0, None, None, None, None, 0, None, 0.0, 0.0)
    card = Card("tiny", "a test", reached, 0.001, 1, "", {"seed": 0}, 0, 0, {})
    assert set(card.to_json()) == {
        *("name", "purpose", "accuracies", "abstention_level", "parameters", "command"),
        *("settings", "training_seconds", "training_cpu_seconds", "environment"),
    }
    assert Card.from_json(card.to_json()) == card


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda values: values.pop("parameters"), "parameters is missing"),
        (lambda values: values["accuracies"].pop("clean"), "'clean'"),
        (lambda values: values.update(certified=3), "no card's values"),
    ],
)
def test_an_edited_card_is_refused_by_name(edit, told, folder):
    values = json.loads((folder / CARD).read_text())
    edit(values)
    (folder / CARD).write_text(json.dumps(values))
    with pytest.raises(CheckpointError, match=f"{CARD}.*{told}"):
        cards.read(folder)


def test_a_folder_without_a_card_says_so(tmp_path):
    with pytest.raises(CheckpointError, match=f"has no {CARD}"):
        cards.read(tmp_path)
