"""Figures: recipes, starts, the grid, the page, and a whole figure with a tiny network."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from pagjax.checkpoints import shipped
from pagjax.figures import drawing, gallery, grid, make, panels, starts
from pagjax.figures.__main__ import main
from pagjax.figures.cast import Named
from pagjax.figures.recipes import recipes
from pagjax.jobs.errors import JobError

NAME = "cifar10-gaussian-0.25"
SMALL = ["--rows", "2", "--columns", "2", "--steps", "4", "--num-samples", "2"]
SMALL += ["--networks", "cifar10"]
LABELS = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
needs_network = pytest.mark.skipif(NAME not in shipped.names(), reason=f"{NAME} is not shipped")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("figures")
    assert main(["2", "13", "3", *SMALL, "--out", str(out)]) == 0
    return out


def test_all_of_the_papers_figures_are_there():
    known = recipes()
    assert sorted(known) == list(range(1, 18))
    assert [v.num_samples for v in known[14].variants] == [1, 5, 20, 25, 50, 75]
    assert [v.sigma for v in known[9].variants] == [0, 0.25, 0.5, 1]
    assert [v.objective for v in known[13].variants] == ["tcm", "ce"]
    assert known[12].roles == ("vanilla", "adversarial", "gaussian-0.50")
    assert recipes(compared=0.25)[15].roles == ("gaussian-0.25", "smoothadv-0.25")
    for recipe in known.values():
        assert recipe.layout == "variants" or len(recipe.variants) == 1


def test_parts_start_from_other_images():
    given = {"count": 3, "seed": 0, "side": 32, "data_dir": None}
    parts = [starts.choose([], LABELS, part=part, **given) for part in (0, 1, 2)]
    again = starts.choose([], LABELS, part=1, **given)
    np.testing.assert_array_equal(again.pictures, parts[1].pictures)
    everything = np.concatenate([part.pictures for part in parts])
    assert len(np.unique(everything.reshape(9, -1), axis=0)) == 9
    assert everything.min() >= 0
    assert everything.max() <= 1


def test_targets_are_never_the_starts_own_class():
    begun = starts.FigureStarts(("a", "b", "c"), np.zeros((3, 2, 2, 3)), (0, 1, None))
    for seed in range(20):
        drawn = starts.choose_targets([], begun, 3, part=0, seed=seed)
        assert drawn[0] != 0
        assert drawn[1] != 1
    assert starts.choose_targets([1, 0], begun, 3, part=0, seed=0)[:2] == (1, 0)
    with pytest.raises(JobError, match="own class"):
        starts.choose_targets([0], begun, 3, part=0, seed=0)


@needs_network
def test_a_figure_leaves_pictures_numbers_and_a_record(folder):
    home = folder / "figure-02"
    record = json.loads((home / "record.json").read_text())
    rows = list(csv.DictReader((home / "numbers.csv").read_text().splitlines()))
    assert len(rows) == len(record["rows"]) == 4
    assert (home / "figure.pdf").read_bytes().startswith(b"%PDF")
    for row in rows:
        assert float(row["distance"]) <= float(row["epsilon"]) + 1e-4
        assert 0 <= float(row["probability"]) <= 1
    assert record["command"].startswith("python -m pagjax.figures 2 --rows 2 --columns 2")
    mean = np.mean([float(row["logit"]) for row in rows])
    told = next(csv.DictReader((home / "means.csv").read_text().splitlines()))
    assert float(told["logit"]) == pytest.approx(mean, rel=1e-4)


def test_long_labels_are_not_cut_off():
    names = ("automobile seed\nto automobile", "a", "incomprehensibility")
    cells = ((grid.Cell(np.full((8, 8, 3), 0.5)),),) * len(names)
    long = "A title that is wider than one column of pictures"
    drawn = drawing.draw(grid.Grid(names, ("start",), cells), title=long, footer="footer")
    page = np.asarray(Image.open(io.BytesIO(drawn["png"])).convert("L"))
    assert (page[:, :10] == 255).all()
    assert (page[:, -10:] == 255).all()
    assert (page[:, 10:40] < 128).any()


@needs_network
def test_every_picture_stands_unblurred_in_the_figure(folder):
    page = np.asarray(Image.open(folder / "figure-02" / "figure.png").convert("RGB"))
    start = starts.choose([], LABELS, count=2, part=0, seed=0, side=32, data_dir=None).pictures[0]
    wanted = np.rint(start * 255).repeat(4, axis=0).repeat(4, axis=1)
    corners = np.argwhere(np.abs(page - wanted[0, 0]).max(axis=-1) <= 1)
    windows = [page[y : y + 128, x : x + 128] for y, x in corners[:2000]]
    whole = [window for window in windows if window.shape == wanted.shape]
    assert min(np.abs(window - wanted).max() for window in whole) <= 1


@needs_network
def test_variants_start_from_the_same_images_and_noise(folder):
    record = json.loads((folder / "figure-13" / "record.json").read_text())
    by_variant = {
        variant: [row for row in record["rows"] if row["variant"] == variant]
        for variant in ("target class max", "cross-entropy")
    }
    first, second = by_variant.values()
    for one, other in zip(first, second, strict=True):
        same = ("start", "target", "logit_start", "epsilon", "steps", "draws")
        assert [one[name] for name in same] == [other[name] for name in same]
        assert one["logit"] != other["logit"]


@needs_network
def test_what_is_done_is_not_done_again(folder, monkeypatch):
    before = (folder / "figure-02" / "figure.png").read_bytes()

    def refuse(*_, **__):
        raise AssertionError("computed again")

    monkeypatch.setattr(panels, "execute", refuse)
    assert main(["2", *SMALL, "--out", str(folder)]) == 0
    assert (folder / "figure-02" / "figure.png").read_bytes() == before


@needs_network
def test_the_maker_is_never_its_judge(folder, tmp_path):
    shutil.copytree(folder / "panels", tmp_path / "panels")
    assert main(["2", *SMALL, "--judge", NAME, "--out", str(tmp_path)]) == 0
    record = json.loads((tmp_path / "figure-02" / "record.json").read_text())
    assert not any("judge_robust_hit" in row for row in record["rows"])


@needs_network
def test_certified_radii_stand_beside_the_pictures(folder, tmp_path):
    shutil.copytree(folder / "panels", tmp_path / "panels")
    assert main(["3", *SMALL, "--certify", "60", "--out", str(tmp_path)]) == 0
    rows = json.loads((tmp_path / "figure-03" / "record.json").read_text())["rows"]
    best = 0.25 * stats.norm.ppf(0.001 ** (1 / 60))
    assert all(0 <= row["certified_radius"] <= best + 1e-9 for row in rows)


@needs_network
def test_the_page_holds_its_pictures(folder):
    page = gallery.write(folder).read_text()
    for number in (2, 3, 13):
        assert f'id="figure-{number}"' in page
    sources = re.findall(r'(?:src|data-strip)="([^"]{0,30})', page)
    assert len(sources) == 3 + 3 * 3 - 1  # a 1 by 2 synthesis has two ways
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    words = re.sub(r"base64,[^\"]*", "", page)
    assert re.findall(r'"(http[^"]*)"', words) == ["https://arxiv.org/abs/1910.08640"]
    assert 'src="http' not in words
    assert str(folder) not in words
    sliders = re.findall(r'<input type="range" min="0" max="(\d+)" value="(\d+)"', words)
    assert sliders
    assert all(last == value for last, value in sliders)


@needs_network
@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium to open the page with")
@pytest.mark.parametrize("width", [400, 1200])
def test_a_browser_shows_the_page_whole(folder, width, tmp_path):
    probe = """
    <script>addEventListener("load", () => {
      const pictures = [...document.images].every(p => p.complete && p.naturalWidth > 0);
      const way = document.querySelector(".way"), canvas = way.querySelector("canvas");
      const pixels = () => canvas.getContext("2d").getImageData(0, 0, 32, 32).data.join();
      setTimeout(() => {
        const after = pixels(), slider = way.querySelector("input");
        slider.value = 0; slider.dispatchEvent(new Event("input"));
        const cut = document.documentElement.scrollWidth > innerWidth;
        document.title = `pictures ${pictures} moves ${after !== pixels()} cut ${cut}`;
      }, 300);
    });</script></body>"""
    page = gallery.write(folder).read_text().replace("</body>", probe)
    (tmp_path / "page.html").write_text(page)
    told = subprocess.run(
        [
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--virtual-time-budget=3000",
            f"--window-size={width},900",
            "--dump-dom",
            (tmp_path / "page.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    assert "<title>pictures true moves true cut false</title>" in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["18"], "choose 1 to 17"),
        (["2", "--networks", "vanilla"], "ROLE=NAME_OR_PATH"),
        (["2", "--targets", "unicorn"], "no class of this network"),
        (["2", "--images", "nowhere.png"], "nowhere.png"),
    ],
)
def test_bad_input_is_named(arguments, told, capsys, tmp_path):
    assert main([*arguments, "--out", str(tmp_path)]) == 2
    assert told in capsys.readouterr().err


def test_a_missing_network_is_named_and_the_page_says_what_to_do(capsys, tmp_path):
    assert main(["15", "--sigma", "0.37", "--out", str(tmp_path)]) == 1
    assert (
        "needs a network for gaussian-0.37 (imagenette-gaussian-0.37 is not there)"
        in capsys.readouterr().err
    )
    with pytest.raises(ValueError, match=r"pagjax\.figures 1"):
        gallery.write(tmp_path)


def test_networks_of_other_classes_do_not_share_a_figure():
    def named(labels):
        network = type("Network", (), {"labels": labels, "image_shape": (8, 8, 3)})()
        return Named("a", network)

    networks = {"gaussian-0.50": named(("a",)), "vanilla": named(("b",))}
    with pytest.raises(JobError, match="other classes"):
        make.make_figure(recipes()[2], networks, {}, make.Choice(), None, command="")
