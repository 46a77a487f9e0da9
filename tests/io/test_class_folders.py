"""Which class a folder is: by name, index or WordNet id, or refused by name; never by place."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pagjax.io.data.class_folders import IMAGENETTE, Classes, match, match_one, normal
from pagjax.io.files.errors import DataError

CIFAR = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
IMAGENET_PART = Classes(
    ("tench, Tinca tinca", "crane", "golf ball", "crane", "missile", "projectile, missile")
)


def imagenet(named: bool = True, ids: bool = False) -> Classes:
    """A thousand classes with Imagenette's ten at their places."""
    numbers = [f"n{10_000_000 + index:08d}" for index in range(1000)]
    # Ids that ascend between Imagenette's.
    places = {place: id_ for id_, (_, place) in IMAGENETTE.items()}
    last = "n00000000"
    for index in range(1000):
        last = places.get(index, f"n{int(last[1:]) + 1:08d}")
        numbers[index] = last
    labels = [f"kind {chr(97 + i % 26)}{i // 26}x" for i in range(1000)]
    for name, place in IMAGENETTE.values():
        labels[place] = f"{name}, its other name"
    names = tuple(labels) if named else tuple(map(str, range(1000)))
    return Classes(names, tuple(numbers) if ids else None)


def test_names_match_in_any_order_and_spelling():
    assert match(CIFAR[::-1], Classes(CIFAR), "data") == tuple(range(10))[::-1]
    assert match(["DOG", "cat"], Classes(CIFAR), "data") == (5, 3)
    for name in ("tench", "Tench", "TINCA_TINCA", "tench, Tinca tinca", "tench_Tinca_tinca"):
        assert match([name], IMAGENET_PART, "data") == (0,)
    for name in ("golf_ball", "golf-ball", "Golf Ball", "golf  ball"):
        assert match([name], IMAGENET_PART, "data") == (2,)
    accented = unicodedata.normalize("NFD", "Café")
    assert match([accented], Classes(("thé", "CAFÉ")), "data") == (1,)


def test_indices_count_from_zero():
    known = Classes(CIFAR)
    assert match(["3", "07", "0000"], known, "data") == (3, 7, 0)
    with pytest.raises(DataError, match=r"'10' out of range for 10 classes.*from 0 to 9"):
        match([str(number) for number in range(1, 11)], known, "data")
    with pytest.raises(DataError, match="out of range"):
        match(["9" * 5000], known, "data")
    with pytest.raises(DataError, match=r"'7' and '07' both mean class 7"):
        match(["7", "07"], known, "data")


def test_labels_that_are_numbers_are_labels_first():
    digits = Classes(("7", "3"))
    assert match(["3", "7"], digits, "data") == (1, 0)
    assert match(["03"], digits, "data") == (1,)
    assert match(["0", "1"], digits, "data") == (0, 1)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["cat", "dog", "unicorn"], r"1 of 3 names .*'unicorn'"),
        (["cat", "7"], r"'7'"),
        (["cat", "n01440764"], r"'n01440764'"),
        (["ants", "bees"], r"'ants', 'bees'.*It knows 'airplane'"),
        (["Cat", "cat"], "both mean class 3"),
        (["1", "dogs"], r"'1', 'dogs'"),
    ],
)
def test_what_means_no_class_is_named(names, message):
    with pytest.raises(DataError, match=message):
        match(names, Classes(CIFAR), "data")


@pytest.mark.parametrize("name", ["crane", "missile", "Missile"])
def test_ambiguous_names_are_refused_with_the_classes(name):
    with pytest.raises(DataError, match=r"may be class \d \(.*\) or \d \(.*\): name every folder"):
        match(["tench", name], IMAGENET_PART, "data")


def test_a_whole_label_is_clear_where_the_others_have_folders():
    assert match(["projectile, missile", "missile"], IMAGENET_PART, "data") == (5, 4)
    assert match(["projectile", "missile"], IMAGENET_PART, "data") == (5, 4)
    assert match(["Cat", "cat"], Classes(("cat", "Cat")), "data") == (1, 0)


def test_wordnet_ids():
    whole = imagenet(ids=True)
    assert whole.wordnet_ids is not None
    assert match([whole.wordnet_ids[5], whole.wordnet_ids[2]], whole, "data") == (5, 2)
    with pytest.raises(DataError, match=r"'n99999999'.*does not know"):
        match(["n99999999"], whole, "data")
    ten = Classes(tuple(name for name, _ in IMAGENETTE.values())[::-1])
    assert match(list(IMAGENETTE), ten, "data") == tuple(range(10))[::-1]
    with pytest.raises(DataError, match="convert it with the `labels`"):
        match(["n00000001", "n01440764"], ten, "data")


@pytest.mark.parametrize("names", [list(IMAGENETTE), [name for name, _ in IMAGENETTE.values()]])
@pytest.mark.parametrize("ids", [False, True])
def test_imagenettes_ten_among_a_thousand_classes(names, ids):
    places = tuple(place for _, place in IMAGENETTE.values())
    assert match(names, imagenet(ids=ids), "data") == places


def test_all_of_imagenets_ids_are_in_their_order():
    numbers = imagenet(ids=True).wordnet_ids
    assert numbers is not None
    for named in (True, False):
        assert match(numbers[::-1], imagenet(named), "data") == tuple(range(1000))[::-1]
    with pytest.raises(DataError, match="`labels`"):  # its labels are in another order
        match(numbers, Classes(imagenet().labels[::-1]), "data")
    with pytest.raises(DataError, match="`labels`"):
        match(numbers[:999], imagenet(named=False), "data")


def test_a_network_without_names_takes_indices_only():
    unnamed = Classes(tuple(map(str, range(10))))
    assert match(["1", "0"], unnamed, "data") == (1, 0)
    with pytest.raises(DataError, match=r"no names for its 10 classes.*by index, 0 to 9"):
        match(CIFAR, unnamed, "data")


def test_one_class_by_any_name():
    assert [match_one(name, Classes(CIFAR)) for name in ("cat", "3", "CAT")] == [3, 3, 3]
    with pytest.raises(DataError, match=r"`class_name=lion`.*'lion'"):
        match_one("lion", Classes(CIFAR))


WORDS = st.text("abcdefghijkéß ,_-'.017ABC", min_size=1, max_size=8).filter(
    lambda text: normal(text) and any(map(str.isalnum, text))
)
SPELLINGS = (str, str.upper, str.title, lambda s: s.replace(" ", "_"), lambda s: s.split(",")[0])


@settings(max_examples=300, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=8), st.data())
def test_random_names_find_their_class_or_are_refused(labels, data):
    """Whatever is matched is matched to a class that is called so, or has that number."""
    drawn = data.draw(st.lists(st.sampled_from(labels), max_size=6, unique=True))
    names = [data.draw(st.sampled_from(SPELLINGS))(label) for label in drawn]
    names += data.draw(st.lists(WORDS, max_size=1))
    known = Classes(tuple(labels))
    try:
        found = match(names, known, "data")
    except DataError:
        return
    assert len(set(found)) == len(found) == len(names)
    by_number = all(name.isascii() and name.isdigit() for name in names)
    for name, index in zip(names, found, strict=True):
        label = labels[index]
        called = {normal(part) for part in (label, *label.split(",")) if part.strip()}
        assert normal(name) in called or (by_number and int(name) == index)


@settings(max_examples=100, deadline=None)
@given(st.permutations(CIFAR), st.permutations(CIFAR), st.integers(1, 10), st.data())
def test_distinct_names_are_always_found(labels, folders, count, data):
    how = data.draw(st.sampled_from(SPELLINGS))
    names = [how(name) for name in folders[:count]]
    found = match(names, Classes(tuple(labels)), "data")
    assert [labels[index] for index in found] == list(folders[:count])
