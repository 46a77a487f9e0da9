"""What the paper saw as numbers, and who plays and judges in figures."""

from __future__ import annotations

import numpy as np
import pytest

from pagjax.alignment.intervals import mean_interval, share_interval
from pagjax.checkpoints import shipped
from pagjax.figures import cast, claims, gallery
from pagjax.figures.cast import Cast
from pagjax.figures.claims import HIT, JUDGED, Claim
from pagjax.figures.gallery import Evidence
from pagjax.figures.observations import hold
from pagjax.figures.recipes import main_sigma, recipes
from pagjax.figures.rows import Numbers
from pagjax.jobs.errors import JobError


def _rows(variant, **columns):
    names, values = list(columns), zip(*columns.values(), strict=True)
    return [Numbers(variant, dict(zip(names, row, strict=True))) for row in values]


PROBABILITIES = np.array([0.9, 0.8, 0.7, 0.95, 0.85])
ROWS = _rows("smoothed", **{JUDGED: PROBABILITIES, HIT: np.array([1, 1, 1, 1, 0])})
ROWS += _rows("vanilla", **{JUDGED: PROBABILITIES[::-1] - 0.6})


def test_a_difference_is_taken_picture_by_picture():
    found = hold(Claim("", JUDGED, of="smoothed", minus="vanilla", least=0), ROWS)
    value, low, high = mean_interval(PROBABILITIES - (PROBABILITIES[::-1] - 0.6))
    assert low > 0
    assert found.verdict == "holds"
    assert found.number == f"{value:+.2f} ({low:+.2f} to {high:+.2f}), 5 pictures"


def test_verdicts_need_the_whole_interval():
    low, high = mean_interval(PROBABILITIES)[1:]
    for least, most, verdict in (
        (low - 0.01, None, "holds"),
        (low + 0.01, None, "undecided"),
        (high + 0.01, None, "does not hold"),
        (None, high + 0.01, "holds"),
        (None, low - 0.01, "does not hold"),
        (low - 0.01, high - 0.01, "undecided"),
    ):
        claim = Claim("", JUDGED, of="smoothed", least=least, most=most)
        assert hold(claim, ROWS).verdict == verdict


def test_shares_have_exact_intervals_and_missing_numbers_are_named():
    found = hold(Claim("", HIT, of="smoothed", least=0.5), ROWS)
    value, low, high = share_interval(np.array([1, 1, 1, 1, 0]))
    assert found.verdict == "undecided"
    assert found.number == f"{value:.2f} ({low:.2f} to {high:.2f}), 5 pictures"
    for claim in (
        Claim("", HIT, of="vanilla", least=0.5),
        Claim("", HIT, of="smoothed", minus="vanilla"),
    ):
        assert hold(claim, ROWS).verdict == "undecided"
        assert "no judge robust hit" in hold(claim, ROWS).number
        assert "'vanilla'" in hold(claim, ROWS).number
    one = hold(Claim("", JUDGED, of="vanilla", least=0.9), ROWS[-1:])
    assert (one.verdict, one.number) == ("undecided", "0.30, 1 picture")


def test_every_figure_claims_something_about_its_own_variants():
    for recipe in recipes().values():
        labels = {variant.label for variant in recipe.variants}
        assert recipe.claims
        for claim in recipe.claims:
            assert {name for name in (claim.of, claim.minus) if name} <= labels
            assert claim.least is not None or claim.most is not None
            assert claim.of is not None or len(labels) == 1


def test_figures_that_show_the_same_are_held_together():
    shared = claims.THREE_TRAININGS[:1]
    figures = [
        Evidence(1, shared, (*ROWS[:3], *ROWS[5:8])),
        Evidence(2, claims.SEEN, tuple(ROWS[:5])),
        Evidence(12, shared, (*ROWS[3:5], *ROWS[8:])),
    ]
    (numbers, found), (alone, _) = gallery.observations(figures)
    assert (numbers, alone) == ([1, 12], [2])
    assert found == hold(claims.THREE_TRAININGS[0], ROWS)


def test_the_robust_judge_is_preferred_and_replaced_where_it_is_missing(monkeypatch):
    judge, vanilla = "cifar10-judge-adversarial-l2", "cifar10-vanilla"
    there = [vanilla, "cifar10-adversarial-l2", judge]
    monkeypatch.setattr(shipped, "names", lambda: there)
    monkeypatch.setattr(cast.checkpoints, "load", lambda name: name)

    def judges(**given):
        found = Cast(["cifar10"]).judges(**given)
        return {which: judge.name for which, judge in found.items()}

    assert judges() == {"robust": judge, "vanilla": vanilla}
    assert judges(robust=[vanilla])["robust"] == vanilla
    there.remove(judge)
    assert judges() == {"robust": "cifar10-adversarial-l2", "vanilla": vanilla}
    assert Cast().judges() == {}
    there.clear()
    assert judges() == {}
    with pytest.raises(JobError, match="judge nobody"):
        judges(robust=["nobody"])


def test_the_second_robust_judge_was_trained_with_noise(monkeypatch):
    there = ["cifar10-vanilla", "cifar10-judge-adversarial-l2", "cifar10-gaussian-0.50"]
    monkeypatch.setattr(shipped, "names", lambda: there)
    monkeypatch.setattr(cast.checkpoints, "load", lambda name: name)
    monkeypatch.setattr(cast, "weights_digest", lambda network: network[-4:])
    player = Cast(["cifar10", "gaussian-0.50=mine"])
    assert [one.name for one in player.judges().values()] == [there[1], there[2], there[0]]
    assert player.told(player.judges())[0] == f"robust judges: {there[1]}, {there[2]}"
    there.append("cifar10-judge-gaussian-0.50")
    assert player.judges()["robust_2"].name == there[3]
    assert list(player.judges(robust=there[:2])) == ["robust", "robust_2", "vanilla"]
    assert list(player.judges(robust=there[:1])) == ["robust", "vanilla"]
    for twice in ([there[0], there[0]], there[2:]):  # by name, and by weights
        with pytest.raises(JobError, match="one network twice"):
            player.judges(robust=twice)


def test_missing_players_are_named_with_what_they_wait_for(monkeypatch, tmp_path):
    monkeypatch.setattr(shipped, "names", lambda: ["cifar10-vanilla", "cifar10-gaussian-0.25"])
    known = recipes(main=0.25)
    assert Cast(["cifar10"]).missing(known[2]) == {}
    assert Cast(["cifar10"]).missing(known[1]) == {"adversarial": "cifar10-adversarial-l2"}
    assert Cast(["cifar10", f"adversarial={tmp_path}"]).missing(known[1]) == {}
    assert list(Cast(["cifar10"]).missing(known[4])) == ["gaussian-0.50", "gaussian-1.00"]
    assert Cast().missing(known[2]) == {"gaussian-0.25": "imagenette-gaussian-0.25"}


def test_every_figure_has_its_networks_at_128_pixels_without_a_word():
    known = recipes(main=main_sigma([]), compared=main_sigma([]))
    for recipe in known.values():
        assert Cast().missing(recipe) == {}
    assert {Cast().of_role(role) for recipe in known.values() for role in recipe.roles} == {
        "imagenette-vanilla",
        "imagenette-adversarial-l2",
        "imagenette-gaussian-0.25",
        "imagenette-gaussian-0.50",
        "imagenette-gaussian-1.00",
        "imagenette-smoothadv-0.50",
    }


def test_a_family_is_named_once_and_brings_its_sigma():
    assert main_sigma(["cifar10"]) == 0.25
    assert main_sigma(["cifar10", "gaussian-1.00=a", "smoothadv-1.00=b"]) == 1
    assert main_sigma(["gaussian-0.25=a", "gaussian-0.50=b"]) == 0.5
    assert main_sigma(["gaussian-best=a"]) == 0.5
    with pytest.raises(JobError, match="one family"):
        Cast(["cifar10", "imagenette"])
    with pytest.raises(JobError, match="ROLE=NAME_OR_PATH, or one of imagenette, cifar10"):
        Cast(["svhn"])
