"""`report --paired`, `--distribution`, `--anchors`, LaTeX and Markdown: right, told or refused."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from pagjax import certify as command
from pagjax.certified_logs import anchors, distribution, logs, pairing, plot, report, tables
from pagjax.certified_logs.pairing import Side

HEADER = logs.header(logs.CERTIFY)
VOTED = logs.header((*logs.CERTIFY, logs.VOTES))


def written(path, lines, header=HEADER, **job):
    path.write_text(header + "".join("\t".join(map(str, line)) + "\n" for line in lines))
    if job:
        beside = {
            "job": {"sigma": 0.5, "method": "hard", "num_draws": 10**5, "alpha": 0.001, **job}
        }
        path.with_name(path.name + ".json").write_text(json.dumps(beside))
    return path


def certified(number, radius, right=True):
    return (number, 3, 3 if right else 4, f"{radius:.3f}", int(right), "1")


@pytest.fixture
def two(tmp_path):
    """A is right on 12 of 20 images at 0.4, B on 8 of 30 at 0.6, of which A has 20."""
    first = [certified(n, 0.4, n < 12) for n in range(20)]
    second = [certified(n, 0.6, n % 5 < 2) for n in range(30)]
    return written(tmp_path / "a.tsv", first), written(tmp_path / "b.tsv", second)


def _report(capsys, *words):
    status = command.main(["report", *map(str, words)])
    told = capsys.readouterr()
    assert "Traceback" not in told.err
    return status, told.out, told.err


def _side(path):
    return Side(path.name, path, logs.read(path), 0.5)


def test_a_paired_report_counts_shared_images(two, capsys):
    status, out, err = _report(capsys, *two, "--paired", "--format", "csv", "--radii", 0, 0.5)
    assert status == 0
    assert "20 images in both; B has 10 more, which do not count" in err
    zero, half, average = csv.DictReader(out.splitlines())
    right = np.array([[n < 12, n % 5 < 2] for n in range(20)])
    only = (right[:, 0] & ~right[:, 1]).sum(), (right[:, 1] & ~right[:, 0]).sum()
    assert (int(zero["only_a"]), int(zero["only_b"])) == only
    assert float(zero["difference"]) == pytest.approx(0.2)
    p_value = stats.binomtest(int(only[0]), int(sum(only))).pvalue
    assert float(zero["mcnemar_p_value"]) == pytest.approx(p_value)
    assert [float(half[name]) for name in ("a", "b")] == [0.0, 0.4]
    differences = 0.4 * right[:, 0] - 0.6 * right[:, 1]
    low, high = stats.ttest_1samp(differences, 0).confidence_interval()
    found = [float(average[name]) for name in ("difference", "low", "high")]
    assert found == pytest.approx([differences.mean(), low, high])


def test_the_same_images_in_another_order_and_format_are_matched(two, tmp_path, capsys):
    first, second = two
    rows = second.read_text().splitlines()[1:]
    cells = [row.split("\t") for row in rows[::-1]]
    again = tmp_path / "c.csv"
    body = "\n".join(",".join([c[3], c[0], c[2], c[1]]) for c in cells)
    again.write_text("radius,idx,predict,label\n" + body)
    outs = [_report(capsys, first, b, "--paired", "--format", "csv")[1] for b in (second, again)]
    assert outs[0] == outs[1]


def test_the_published_and_the_complete_log_of_a_network_differ_by_little(shared):
    logs_of = shared / "logs"
    whole = (
        logs_of / "salman/certify/best_models/cifar10/cohen/resnet110/noise_0.25/test/sigma_0.25"
    )
    part = logs_of / "cohen/certify/cifar10/resnet110/noise_0.25/test/sigma_0.25"
    pair = pairing.match(_side(whole), _side(part))
    found = pairing.compare(pair, [0.0, 0.25])
    assert found.images == 500
    assert found.differences[0][3:5] == (3, 0)
    assert found.differences[1].value == 0


@pytest.mark.parametrize(
    ("other", "job", "told"),
    [
        ([(0, 5, 5, "0.4", 1, "1")], {}, "image 0 has label 3 in one and 5 in the other"),
        ([certified(90, 0.4)], {}, "no image in common"),
        ([certified(0, 0.4)], {"data": "svhn", "split": "test"}, "the same data: cifar10 and svhn"),
        ([certified(0, 0.4)], {"data": "x/cifar10", "split": "train"}, "the same split: test and"),
    ],
)
def test_other_images_labels_and_data_are_refused(tmp_path, capsys, other, job, told):
    first = written(tmp_path / "a.tsv", [certified(0, 0.4)], data="cifar10", split="test")
    second = written(tmp_path / "b.tsv", other, **job)
    status, out, err = _report(capsys, first, second, "--paired")
    assert (status, out, err.count("\n")) == (command.EXIT_REFUSED, "", 1)
    assert told in err


def test_other_content_under_the_same_names_is_refused(tmp_path, capsys):
    paths = [written(tmp_path / f"{name}.tsv", [certified(0, 0.4)], data=name) for name in "ab"]
    for content, status in (("00", command.EXIT_REFUSED), ("11", 0)):
        for path, digest in zip(paths, ("1", content[0]), strict=True):
            beside = path.with_name(path.name + ".json")
            values = json.loads(beside.read_text())
            of_data = {"listing_sha256": "2", "content_sha256": digest, "damaged": []}
            beside.write_text(json.dumps(values | {"data": of_data}))
        assert _report(capsys, *paths, "--paired")[0] == status


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["a.tsv", "--paired"], "--paired compares two logs: 1 given"),
        (["a.tsv", "b.tsv", "--paired", "--card", "x"], "--card takes the plain table"),
        (["--anchors", "--plot", "x.png"], "anchors are numbers without curves"),
        (["--anchors", "--format", "csv"], "choose --format text"),
        (["a.tsv", "--distribution"], "the noise is not known: name it with --sigma"),
        (["a.tsv", "p.tsv", "--paired"], "p.tsv has predictions and no radii"),
        (["p.tsv", "--distribution"], "predictions have no radius, and the log keeps no votes"),
    ],
)
def test_what_does_not_go_together_is_refused(two, tmp_path, monkeypatch, capsys, words, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.tsv").write_text(logs.header(logs.PREDICT) + "0\t3\t3\t1\t1\n")
    status, out, err = _report(capsys, *words)
    assert (status, out, err.count("\n")) == (command.EXIT_REFUSED, "", 1)
    assert told in err


def test_predictions_are_compared_at_radius_0(tmp_path, capsys):
    for name, wrong in (("a", 1), ("b", 2)):
        rows = [(n, 3, 4 if n < wrong else 3, int(n >= wrong), "1") for n in range(9)]
        written(tmp_path / f"{name}.tsv", rows, logs.header(logs.PREDICT))
    status, out, _ = _report(capsys, tmp_path / "a.tsv", tmp_path / "b.tsv", "--paired")
    assert status == 0
    assert "+11.11" in out
    assert "\nACR  " not in out


def test_other_settings_are_named(tmp_path, capsys):
    rows = [certified(n, 0.2) for n in range(3)]
    job = {"checkpoint": "checkpoints/net_1/checkpoint", "sigma": 0.25}
    first = written(tmp_path / "a.tsv", rows, **job)
    job = {"checkpoint": "net_2", "num_draws": 10**4, "radii": [0.25]}
    _, out, _ = _report(capsys, first, written(tmp_path / "b.tsv", rows, **job), "--paired")
    assert "A: net_1, sigma 0.25, 3 images, N = 100,000, alpha 0.001" in out
    assert "noise differs: sigma 0.25 in A, 0.5 in B" in out
    assert "`num_draws` differs: 100000 in A, 10000 in B" in out
    assert "B was drawn in stages: its average certified radius is a lower bound" in out


def test_the_distribution_is_that_of_the_normal_quantile(tmp_path, capsys):
    probabilities = [0.55, 0.75, 0.85, 0.995]
    rows = [certified(n, 0.5 * stats.norm.ppf(p)) for n, p in enumerate(probabilities)]
    rows += [(4, 3, -1, "0.0", 0, "1"), certified(5, 0.9, right=False)]
    path = written(tmp_path / "a.tsv", rows)
    _, out, _ = _report(capsys, path, "--distribution", "--sigma", 0.5, "--format", "csv")
    found = {row["p_at_least"]: float(row["share"]) for row in csv.DictReader(out.splitlines())}
    assert [found[p] for p in ("0.5", "0.6", "0.8", "0.99", "0.999")] == pytest.approx(
        [4 / 6, 3 / 6, 2 / 6, 1 / 6, 0]
    )


def test_votes_say_it_below_a_half_and_for_every_method(tmp_path, capsys):
    rows = [(*certified(0, 0.5), "100[3:90+1:10]"), (*certified(1, 0.5, False), "100[3:30+4:70]")]
    path = written(tmp_path / "a.tsv", rows, VOTED, checkpoint="net", method="soft")
    _, out, _ = _report(capsys, path, "--distribution", "--format", "csv")
    found = list(csv.DictReader(out.splitlines()))
    assert {row["of"] for row in found} == {"share of draws"}
    shares = {row["p_at_least"]: float(row["share"]) for row in found}
    assert [shares[p] for p in ("0.1", "0.25", "0.5", "0.9", "0.95")] == [1, 1, 0.5, 0.5, 0]
    _, out, _ = _report(capsys, path, "--distribution", "--plot", tmp_path / "a.svg")
    assert "60.00" in out  # the mean share, the base network's accuracy under the noise
    assert b"<svg" in (tmp_path / "a.svg").read_bytes()
    bare = written(tmp_path / "b.tsv", [certified(0, 0.5)], method="soft", rivals="bounded")
    with pytest.raises(logs.LogError, match="of two bounds"):
        distribution.of_log(bare, logs.read(bare), "b", 0.5)


def test_two_logs_of_the_same_images_are_drawn_with_their_difference(two, tmp_path, capsys):
    first, second = two
    for words in ((first, second, "--paired"), (first, first), (first, second), (first,)):
        assert _report(capsys, *words, "--plot", tmp_path / "a.svg")[0] == 0
    pair = pairing.match(_side(first), _side(second))
    assert b"<svg" in plot.draw([_side(p).log for p in two], ["$a", "b" * 300], pair, format="svg")


def test_anchors_stand_with_the_shipped_networks_and_logs(two, capsys):
    status, out, _ = _report(capsys, "--anchors")
    assert status == 0
    assert out.count("CAT-RS  ") == 3
    assert "cifar10-gaussian-0.50" in out
    _, out, _ = _report(capsys, "--anchors", two[0], "--sigma", 0.5, "--format", "markdown")
    assert "| a.tsv | 20 | - | 0.240 (" in out
    assert "fewer than 500 images, so take them for hints: a.tsv (20)" in out


def test_the_documentation_shows_the_anchors(capsys):
    _, out, _ = _report(capsys, "--anchors", "--format", "markdown")
    page = (Path(__file__).resolve().parents[2] / "docs/certified.md").read_text(encoding="utf-8")
    shown = page.partition("<!-- begin anchors -->\n\n")[2].partition("\n<!-- end anchors -->")[0]
    assert shown == out, (
        "put what python -m pagjax.certify report --anchors --format markdown prints between "
        "docs/certified.md's marks"
    )


def test_the_first_anchor_is_the_published_log(shared):
    """Of the anchors' logs the project has this one."""
    folder = shared / "logs/salman/certify/best_models/cifar10/cohen/resnet110"
    for sigma, radii in anchors.RADII.items():
        path = folder / f"noise_{sigma:.2f}/test/sigma_{sigma:.2f}"
        found = report.summarise(logs.read(path), "", radii=radii)
        first = anchors.anchors(sigma)[0]
        shares = [share.value for share in found.accuracies]
        assert shares == pytest.approx(list(first.accuracies.values()), abs=6e-4)
        assert found.average_radius == pytest.approx(first.average_radius, abs=6e-4)


NASTY = r"a_b 50% & #1 $x$ {y} ~ ^ \z"


def _documents(two, capsys):
    for words in ([], ["--paired"], ["--distribution", "--sigma", 0.5], ["--anchors"]):
        yield _report(capsys, *two, *words, "--format", "latex", "--names", NASTY, NASTY + "2")[1]


def test_latex_is_escaped_with_percent_and_intervals(two, capsys):
    plain, paired, *_ = documents = list(_documents(two, capsys))
    assert r"60.00\% {\scriptsize (36.1--80.9)}" in plain
    assert r"a\_b 50\% \& \#1 \$x\$ \{y\} \textasciitilde{}" in plain
    assert r"$r = 0.25$ & 60.00\% & 40.00\% & $+20.00$\%" in paired
    for text in documents:
        for row in text.splitlines():
            bare = row.replace(r"\%", "").replace(r"\&", "").replace(r"\#", "").replace(r"\$", "")
            assert row.startswith("%") or not set(bare) & set("#~")
            assert row.startswith("%") or "%" not in bare
            assert bare.count("$") % 2 == 0 or row.startswith("%")
        tabulars = [part.partition(r"\end{tabular}")[0] for part in text.split(r"\begin{tabular}")]
        for tabular in tabulars[1:]:
            widths = {
                row.replace(r"\&", "").count("&")
                for row in tabular.splitlines()
                if row.endswith(r"\\")
            }
            assert len(widths) == 1


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX here")
def test_latex_compiles(two, tmp_path, capsys):
    body = "\n\n".join(_documents(two, capsys))
    begin = "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n"
    (tmp_path / "a.tex").write_text(f"{begin}{body}\n\\end{{document}}\n")
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "a.tex"]
    assert subprocess.run(words, cwd=tmp_path, capture_output=True, check=False).returncode == 0


def test_networks_names_stand_for_files(tmp_path):
    rows = [certified(0, 0.2)]
    jobs = [
        {"checkpoint": "runs/mine/checkpoint"},
        {"checkpoint": "runs/mine/checkpoint", "sigma": 0.25},
        {"checkpoint": "other"},
        {},
    ]
    paths = [written(tmp_path / f"{n}.tsv", rows, **job) for n, job in enumerate(jobs)]
    expected = ["mine, sigma 0.5", "mine, sigma 0.25", "other", "3.tsv"]
    assert report.network_names(paths) == expected
    assert report.names_of([]) == report.network_names([]) == []


def test_unknown_numbers_are_dashes():
    nothing = tables.Table(["log", "x"], [["a", tables.Measured(float("nan"))]])
    assert [tables.text(nothing)[-1], tables.markdown(nothing)[-3:]] == ["-", "- |"]
    assert r"a & -- \\" in tables.latex_table(nothing)
