"""Class Gaussians: what is fitted, what is drawn, what is kept on disk."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pagjax import fit_seeds
from pagjax.core.class_gaussians import (
    ClassGaussian,
    block_mean,
    draw_seeds,
    from_images,
    repeat_pixels,
    stack,
)
from pagjax.jobs.errors import JobError
from pagjax.seeds import fits, fitting, starts, store
from pagjax.seeds.fitting import fit_class, fit_classes
from pagjax.seeds.store import StatisticsError
from pagjax.seeds.unfinished import Unfinished
from tests.training import tiny

SHAPE = (3, 3, 3)
SIZE = 27


def _correlated(count: int, seed: int = 0) -> np.ndarray:
    """Images around mid-grey whose pixels depend on one another, far inside the box."""
    generator = np.random.default_rng(seed)
    mixing = generator.normal(size=(SIZE, SIZE)) * np.geomspace(1, 0.05, SIZE)[:, None]
    return 0.5 + 0.008 * (generator.normal(size=(count, SIZE)) @ mixing).reshape(count, *SHAPE)


def _covariance(factors: np.ndarray) -> np.ndarray:
    flat = np.asarray(factors, np.float64).reshape(len(factors), -1)
    return flat.T @ flat


def test_many_draws_have_the_fits_moments():
    images = jnp.asarray(_correlated(12), jnp.float32)
    fit = from_images(images, regulariser=1e-4)
    count = 20_000
    seeds = np.asarray(draw_seeds(fit, jax.random.key(1), jnp.arange(count)), np.float64)
    seeds = seeds.reshape(count, -1)
    assert seeds.min() > 0.05  # nothing is clamped, or the moments would not be the fit's
    assert seeds.max() < 0.95
    covariance = _covariance(fit.factors) + 1e-4 * np.eye(SIZE)
    spread = np.sqrt(np.diag(covariance))
    errors = (seeds.mean(axis=0) - np.asarray(fit.mean).ravel()) / (spread / np.sqrt(count))
    assert np.abs(errors).max() < 5
    found = np.cov(seeds.T)
    # The sampling variance of a Gaussian's covariance entry: (s_ii s_jj + s_ij^2) / n.
    error = np.sqrt((np.outer(spread**2, spread**2) + covariance**2) / count)
    assert np.abs((found - covariance) / error).max() < 5


def test_a_seed_depends_on_its_number_alone():
    fit = from_images(jnp.asarray(_correlated(5), jnp.float32), regulariser=1e-4)
    all_of_them = draw_seeds(fit, jax.random.key(3), jnp.arange(6))
    one = draw_seeds(fit, jax.random.key(3), jnp.array([4]))
    np.testing.assert_array_equal(one[0], all_of_them[4])
    assert np.abs(np.asarray(all_of_them[3] - all_of_them[4])).max() > 1e-3


def test_draws_are_clamped_and_enlarged_by_whole_pixels():
    wide = ClassGaussian(jnp.full(SHAPE, 0.5), jnp.zeros((1, *SHAPE)), jnp.asarray(4.0))
    seeds = draw_seeds(wide, jax.random.key(0), jnp.arange(50), factor=4)
    assert seeds.shape == (50, 12, 12, 3)
    assert (float(seeds.min()), float(seeds.max())) == (0.0, 1.0)
    np.testing.assert_array_equal(repeat_pixels(block_mean(seeds, 4), 4), seeds)


@pytest.mark.parametrize("count", [9, 200], ids=["by images", "by covariance"])
def test_the_exact_fit_is_numpys_covariance(count):
    images = _correlated(count)
    fit = fit_class(np.array_split(images, 4), count, SHAPE, 1.0)
    flat = images.reshape(count, -1)
    np.testing.assert_allclose(fit.mean.ravel(), flat.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(_covariance(fit.factors), np.cov(flat.T), atol=1e-14)
    assert len(fit.factors) == min(count - 1, SIZE)
    assert fit.dropped == pytest.approx(0, abs=1e-15)
    by_images = from_images(jnp.asarray(images, jnp.float32))
    np.testing.assert_allclose(_covariance(by_images.factors), np.cov(flat.T), atol=1e-8)


@pytest.mark.parametrize("count", [9, 200])
@pytest.mark.parametrize("share", [0.3, 0.8, 0.95])
def test_a_low_rank_is_the_best_of_its_rank_and_the_smallest_that_keeps_the_share(count, share):
    images = _correlated(count)
    fit = fit_class([images], count, SHAPE, share)
    exact = np.cov(images.reshape(count, -1).T)
    values, vectors = np.linalg.eigh(exact)
    values, vectors = values[::-1], vectors[:, ::-1]
    rank = len(fit.factors)
    assert values[:rank].sum() >= share * values.sum() * (1 - 1e-12)
    assert values[: rank - 1].sum() < share * values.sum()
    best = (vectors[:, :rank] * values[:rank]) @ vectors[:, :rank].T
    np.testing.assert_allclose(_covariance(fit.factors), best, atol=1e-14)
    assert fit.dropped * (SIZE - rank) == pytest.approx(values[rank:].sum(), rel=1e-9)


def test_a_few_eigenvectors_are_those_of_all(monkeypatch):
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(300, 260)) * np.geomspace(1, 1e-3, 260)
    matrix = rows.T @ rows
    few = fitting._principal(matrix, 0.9)
    monkeypatch.setattr(fitting, "_FIRST_RANK", 1000)
    full = fitting._principal(matrix, 0.9)
    np.testing.assert_allclose(few[0], full[0], rtol=1e-10)
    overlap = np.abs((few[1] * full[1]).sum(axis=0))
    np.testing.assert_allclose(overlap, 1, rtol=1e-8)


def test_streaming_in_chunks_equals_all_at_once():
    images = _correlated(100)
    whole = fit_class([images], 100, SHAPE, 1.0)
    for sizes in ([1] * 100, [7] * 14 + [2], [99, 1]):
        chunks = np.split(images, np.cumsum(sizes)[:-1])
        found = fit_class(iter(chunks), 100, SHAPE, 1.0)
        np.testing.assert_allclose(found.mean, whole.mean, rtol=1e-13)
        np.testing.assert_allclose(
            _covariance(found.factors), _covariance(whole.factors), atol=1e-15
        )


@pytest.mark.parametrize("count", [2, 60])
@pytest.mark.parametrize("share", [0.9, 1.0])
def test_a_class_of_constant_images_gives_its_image(count, share, tmp_path):
    images = np.broadcast_to(np.linspace(0.25, 0.75, SIZE).reshape(SHAPE), (count, *SHAPE))
    fit = fit_class([images], count, SHAPE, share)
    assert len(fit.factors) == 0
    back = fits.fit_from_arrays(fits.fit_arrays(fit))
    gaussian = back.gaussian(0.0)
    seeds = draw_seeds(gaussian, jax.random.key(0), jnp.arange(3))
    np.testing.assert_allclose(seeds, images[:1].repeat(3, axis=0), atol=3e-4)  # half precision


def test_a_data_set_is_fitted_kept_and_found_again(tmp_path):
    data = tiny.data(60)
    fitted = fit_classes(data, split="train", factor=2, share=0.95)
    assert [fit.count for fit in fitted.fits] == [20, 20, 20]
    store.save(tmp_path / "squares.npz", fitted)
    found = store.load(tmp_path / "squares.npz")
    assert (found.labels, found.side, found.factor, found.share) == (
        data.labels,
        tiny.SIDE,
        2,
        0.95,
    )
    assert found.scale_to(8) == 2
    with pytest.raises(StatisticsError, match="multiple of 4, not 6"):
        found.scale_to(6)
    for kept, exact in zip(found.fits, fitted.fits, strict=True):
        assert (kept.count, kept.dropped) == (exact.count, exact.dropped)
        np.testing.assert_allclose(kept.mean, exact.mean, atol=5e-4)
        lost = np.linalg.norm(kept.factors - exact.factors) / np.linalg.norm(exact.factors)
        assert lost < 0.01
    densities = found.densities()
    assert densities.factors.shape[0] == 3
    trace = float((densities.factors[1] ** 2).sum() + 48 * densities.regulariser[1])
    pixels = data.images(np.flatnonzero(data.targets == 1)) / 255
    means = pixels.reshape(-1, 4, 2, 4, 2, 3).mean(axis=(2, 4)).reshape(20, -1)
    assert trace == pytest.approx(means.var(axis=0, ddof=1).sum() + 48 * 1e-4, rel=2e-3)


def test_an_interrupted_fit_goes_on_to_the_same_bytes(tmp_path):
    data, settings = tiny.data(60), ["squares", 8]
    unfinished = Unfinished(tmp_path / "left", settings)
    seen: list[int] = []

    def stop(label: str, done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    def done(index: int) -> fits.Fit | None:
        fit = unfinished.read(index)
        seen.append(index) if fit is None else None
        return fit

    options = {"split": "train", "keep": unfinished.write, "done": done}
    with pytest.raises(KeyboardInterrupt):
        fit_classes(data, report=stop, **options)
    unfinished = Unfinished(tmp_path / "left", settings)
    store.save(tmp_path / "resumed.npz", fit_classes(data, **options))
    assert seen == [0, 1, 2]
    store.save(tmp_path / "whole.npz", fit_classes(data, split="train"))
    one, other = (store.atomic.read_arrays(tmp_path / f"{n}.npz") for n in ("resumed", "whole"))
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)
    assert Unfinished(tmp_path / "left", ["squares", 16]).read(0) is None


def test_bad_input_is_named(tmp_path, capsys):
    data = tiny.data(60)
    for options, message in (
        ({"share": 0.0}, "share = 0.0"),
        ({"regulariser": -1.0}, "regulariser = -1.0"),
        ({"factor": 3}, "factor 3 does not divide 8"),
    ):
        with pytest.raises(StatisticsError, match=message):
            fit_classes(data, split="train", **options)
    with pytest.raises(StatisticsError, match="blue: 1 images"):
        fit_classes(tiny.data(5), split="train")
    with pytest.raises(StatisticsError, match="raise the factor"):
        fit_class([], 10**6, (224, 224, 3), 1.0)
    with pytest.raises(ValueError, match="at least two"):
        from_images(jnp.zeros((1, *SHAPE)))
    with pytest.raises(ValueError, match="no Gaussians"):
        stack([])
    with pytest.raises(StatisticsError, match=r"neither a file nor a data set.*fit_seeds"):
        store.load("svhn")
    (tmp_path / "other.npz").write_bytes(b"no statistics")
    with pytest.raises(StatisticsError, match="holds no class statistics"):
        store.load(tmp_path / "other.npz")
    with pytest.raises(StatisticsError, match="`statistics`"):
        store.for_labels(["one", "two"])
    assert fit_seeds.main(["cifar10", "--out", str(tmp_path / "other.npz")]) == 2
    assert "--overwrite" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "own"), [("cifar10", 32), ("imagenette", 16), ("imagenette-128", 64)]
)
def test_shipped_statistics_are_small_and_whole(name, own):
    found = store.load(name)
    assert len(found.labels) == len(found.fits) == 10
    assert found.fits[0].mean.shape == (own, own, 3)
    assert store._shipped_file(name).stat().st_size < 4 * 2**20
    assert store.find(found.labels, own)[0] == name
    assert store.for_labels(found.labels, own).data == found.data
    seeds = draw_seeds(found.gaussian(7), jax.random.key(0), jnp.arange(2))
    assert np.asarray(seeds).std() > 0.05
    for fit in found.fits:
        assert np.isfinite(fit.factors).all()
        kept = (fit.factors**2).sum()
        dropped = fit.dropped * (fit.mean.size - len(fit.factors))
        # At least the share; of few directions the last one is a large step.
        assert found.share - 0.005 <= kept / (kept + dropped) < found.share + 0.03


def test_the_finest_statistics_that_fit_are_found_and_names_say_which():
    labels = store.load("imagenette").labels
    assert store.find(labels)[0] == store.find(labels, 128)[0] == "imagenette-128"
    assert store.find(labels, 80)[0] == "imagenette"
    given, _ = starts.names(["church"], labels, None, count=1, seed=0, side=128)
    assert given == ["seed:imagenette-128/church-0-0"]
    # Twice finer than four by four pixels: neighbours within a block of four differ.
    fine = starts.read(given[0], (128, 128))
    np.testing.assert_array_equal(fine[::2, ::2], fine[1::2, 1::2])
    assert np.abs(fine[::4, ::4] - fine[2::4, 2::4]).max() > 0.01
    old = starts.read("seed:imagenette/church-0-0", (128, 128))
    np.testing.assert_array_equal(old, old[::8, ::8].repeat(8, axis=0).repeat(8, axis=1))
    with pytest.raises(JobError, match="multiple of 64"):
        starts.read(given[0], (96, 96))


def test_shipped_statistics_are_those_of_the_data(shared):
    from pagjax.io.data.labelled_images import open_data

    data = open_data("cifar10", "train", 32, shared / "tfds")
    found = store.load("cifar10")
    numbers = np.flatnonzero(data.targets == 7)
    assert found.fits[7].count == len(numbers)
    some = data.images(numbers[:400]).astype(np.float64) / 255
    error = some.std(axis=0, ddof=1) / np.sqrt(400)
    assert np.abs((some.mean(axis=0) - found.fits[7].mean) / error).max() < 5
