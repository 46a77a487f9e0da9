"""`figures blind` from networks to the gallery: pictures, answers, judges and their panel."""

from __future__ import annotations

import base64
import csv
import io
import json

import jax
import numpy as np
import pytest
from PIL import Image

from pagjax import checkpoints
from pagjax.alignment import blind as answers_of
from pagjax.checkpoints import store
from pagjax.figures import blind_table, gallery, panels
from pagjax.figures.__main__ import main
from pagjax.networks import NORMALIZERS, ResNetConfig
from pagjax.networks.base import Description
from tests.figures.test_gallery_of_others import _write as write_figure

LABELS = ("cat", "dog", "golf ball", "church", "=tench", "truck", "hen")
ROLES = ("vanilla", "adversarial", "gaussian-0.25", "gaussian-0.5", "gaussian-1", "smoothadv-0.5")
KIN = "its mother"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Six networks of random weights, and three judges."""
    folder, variables = tmp_path_factory.mktemp("networks"), None
    for number, name in enumerate([*ROLES, "judge", "mother", "third"]):
        settings = {"init": KIN if name == "smoothadv-0.5" else None}
        description = Description(
            "tiny",
            ResNetConfig("cifar", "basic", (1,), 8),
            len(LABELS),
            NORMALIZERS["cifar10"],
            (16, 16),
            LABELS,
            0.25 if name == "mother" else 0.0,
            {"name": KIN if name == "mother" else name, "settings": settings},
        )
        image = np.zeros((1, 16, 16, 3), np.float32)
        variables = variables or jax.jit(description.network().init)(jax.random.key(0), image)
        own = jax.tree.map(lambda leaf, factor=1 + number / 4: np.asarray(leaf) * factor, variables)
        store.save(folder / name, description, own)
    return folder


def _arguments(home, out):
    networks = [f"{role}={home / role}" for role in ROLES]
    judges = [word for name in ("judge", "mother") for word in ("--judge", str(home / name))]
    return [
        *("blind", "--rows", "3", "--steps", "2", "--num-samples", "2", "--preset", "fast"),
        *("--images", "sample:cat", "sample:coffee", "sample:astronaut"),
        *("--networks", *networks, *judges, "--vanilla-judge", str(home / "third")),
        *("--out", str(out)),
    ]


@pytest.fixture(scope="module")
def made(home, tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "out"
    assert main(_arguments(home, out)) == 0
    return out


def _record(out):
    return json.loads((out / "blind.json").read_text(encoding="utf-8"))


def _save(path, entries, reader, say):
    """Answers as the page's script writes them."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(answers_of.COLUMNS)
        for entry in entries:
            row = [reader, *(entry[k] for k in ("picture", "network", "start", "target"))]
            cells = [*row, say(entry)]
            writer.writerow([f"'{cell}" if cell[0] in "=+-@" else cell for cell in cells])
    return path


def _sees_the_robust(entry):
    return entry["target"] if "adv" in entry["network"] else "none"


def test_every_network_paints_every_start_and_no_class_twice(made, home):
    record = _record(made)
    entries = record["pictures"]
    assert len(entries) == 3 * len(ROLES)
    for start in ("cat", "coffee", "astronaut"):
        own = [entry for entry in entries if entry["start"] == start]
        assert {entry["network"] for entry in own} == set(ROLES)
        assert len({entry["target"] for entry in own}) == len(ROLES)
    for network in ROLES:
        assert len({e["target"] for e in entries if e["network"] == network}) == 3
    assert str(home) not in json.dumps(record)
    assert str(made) not in json.dumps(record)
    assert record["command"].startswith("python -m pagjax.figures blind --rows 3")
    for told in record["networks"].values():
        assert (made / "panels" / f"{told['panel']}.npz").exists()


def test_the_page_shows_the_panels_pictures_under_the_records_names(made):
    text = (made / "blind.html").read_text(encoding="utf-8")
    test = json.loads(text.split('type="application/json">')[1].split("</script>")[0])
    key = json.loads(base64.b64decode(test["key"]))
    record = _record(made)
    assert test["name"] == record["test"]
    assert test["classes"] == list(LABELS)
    for number, (entry, source) in enumerate(
        zip(record["pictures"], test["pictures"], strict=True)
    ):
        assert entry["picture"] == f"{test['name']}-{number + 1}"
        assert key[number] == [entry[name] for name in ("network", "start", "target")]
        told = record["networks"][entry["network"]]
        with np.load(made / "panels" / f"{told['panel']}.npz") as kept:
            result = kept["results"][["cat", "coffee", "astronaut"].index(entry["start"])]
        shown = Image.open(io.BytesIO(base64.b64decode(source.split(",")[1])))
        np.testing.assert_array_equal(np.asarray(shown), np.rint(result * 255).astype(np.uint8))


def test_the_panel_is_the_mean_of_its_impartial_judges(made, home):
    record = _record(made)
    third = checkpoints.load(home / "third")
    judge = checkpoints.load(home / "judge")
    for name, told in record["networks"].items():
        entries = [entry for entry in record["pictures"] if entry["network"] == name]
        kin = name == "smoothadv-0.5"
        assert told["judges"] == (
            ["robust", "vanilla"] if kin else ["robust", "robust_2", "vanilla"]
        )
        with np.load(made / "panels" / f"{told['panel']}.npz") as kept:
            results = kept["results"]
        for entry in entries:
            numbers = entry["numbers"]
            assert ("judge_robust_2_probability" in numbers) != kin
            picture = results[["cat", "coffee", "astronaut"].index(entry["start"])][None]
            target = LABELS.index(entry["target"])
            for which, network in (("robust", judge), ("vanilla", third)):
                own = jax.nn.softmax(network.logits_fn(picture))[0]
                assert numbers[f"judge_{which}_probability"] == pytest.approx(
                    float(own[target]),
                    abs=1e-4,  # batches of other sizes round otherwise
                )
            members = ["robust", "vanilla"] if kin else ["robust", "robust_2", "vanilla"]
            for panel, column in (("probability", "probability"), ("share", "hit")):
                single = [numbers[f"judge_{member}_{column}"] for member in members]
                assert numbers[f"panel_{panel}"] == pytest.approx(np.mean(single), abs=1e-6)


def test_the_same_command_reads_what_is_done(made, home, monkeypatch, capsys):
    before = {name: (made / name).read_bytes() for name in ("blind.html", "blind.json")}

    def refuse(*_, **__):
        raise AssertionError("computed again")

    monkeypatch.setattr(panels, "execute", refuse)
    assert main(_arguments(home, made)) == 0
    assert {name: (made / name).read_bytes() for name in before} == before
    told = capsys.readouterr().err
    assert "mother is not asked about pictures of smoothadv-0.5: their maker was trained" in told


def test_answers_stand_beside_the_judges_and_in_the_gallery(made, tmp_path, capsys):
    entries = _record(made)["pictures"]
    one = _save(tmp_path / "one.csv", entries, "=N. N.", _sees_the_robust)
    two = _save(tmp_path / "two.csv", entries, "M", lambda e: "none")
    assert main(["blind", "--answers", str(one), str(two), "--out", str(made)]) == 0
    told = capsys.readouterr().out
    assert "looked: '=N. N., M" in told
    assert "of the panel see it" in told
    lines = {line.network: line for line in blind_table.read(made)}
    assert set(lines) == set(ROLES)
    for name, line in lines.items():
        assert line.numbers["named"] == (0.5 if "adv" in name else 0)
        assert (line.pictures, line.answers, line.readers) == (3, 6, ("'=N. N.", "M"))
        own = [entry["numbers"] for entry in entries if entry["network"] == name]
        for column in ("panel_probability", "judge_robust_hit"):
            mean = np.mean([numbers[column] for numbers in own])
            assert line.numbers[column] == pytest.approx(mean, rel=1e-4, abs=1e-6)
        assert line.numbers["panel_probability_low"] <= line.numbers["panel_probability_high"]
    assert "judge_robust_2_hit" not in lines["smoothadv-0.5"].numbers
    write_figure(made)
    page = gallery.write(made).read_text(encoding="utf-8")
    for path in made.joinpath("figure-02").rglob("*.*"):
        path.unlink()
    assert "Looked: &#x27;=N. N., M." in page
    assert '<a href="blind.html">' in page
    (made / "index.html").unlink()


def test_answers_to_other_pictures_are_refused(made, tmp_path, capsys):
    entries = _record(made)["pictures"]
    other = _save(tmp_path / "a.csv", [entries[0] | {"picture": "abc-1"}], "me", lambda e: "none")
    edited = _save(tmp_path / "b.csv", [entries[0] | {"start": "hen"}], "me", lambda e: "none")
    for path, told in ((other, "not of the test"), (edited, "start is 'hen' in the answers")):
        assert main(["blind", "--answers", str(path), "--out", str(made)]) == 2
        assert told in capsys.readouterr().err
    assert main(["blind", "--answers", str(other), "--out", str(tmp_path / "none")]) == 1
    found = capsys.readouterr()
    assert "target named" in found.out
    assert "holds no blind test" in found.err
    assert not (tmp_path / "none").exists()


def test_folders_of_others_and_misplaced_words_are_refused(home, tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("mine")
    assert main(_arguments(home, tmp_path)) == 2
    assert "thesis.tex" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    for words in (["1", "blind"], ["1", "--answers", "a.csv"]):
        assert main([*words, "--out", str(tmp_path / "out")]) == 2
        assert "a command of its own" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "blind.json"),
        ('{"pictures": 3}', "pictures is 3"),
        ('{"pictures": [{"picture": 1}]}', "picture is 1"),
    ],
)
def test_edited_records_are_named(tmp_path, text, told):
    (tmp_path / "blind.json").write_text(text)
    with pytest.raises(ValueError, match=told):
        blind_table.read_record(tmp_path)
