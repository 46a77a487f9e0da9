"""Named settings of the networks for ten ImageNet classes at 128 pixels.

The shipped ones have plain strides. Those whose names end in ``-antialiased`` go on from them for
an epoch or so with strides that see a blurred input, on two CPU cores.
"""

from __future__ import annotations

from dataclasses import replace

from pagjax.training.settings import NamedSettings, Settings

# A stem of stride 1 at full resolution: through it the gradient reaches every pixel alike. Four to
# five minutes each on an H200.
_AT_LENGTH = Settings(
    data="imagenette/160px-v2",
    test_split="validation",
    image_size=128,
    normalizer="imagenet",
    stem="cifar",
    stage_sizes=(1, 1, 2, 2, 2),
    width=16,
    precision="bfloat16",
    crop="resized",
    least_area=0.35,
    batch_size=128,
    peak_rate=0.2,
    epochs=50.0,
)
_ATTACKED = replace(
    _AT_LENGTH, procedure="adversarial", epsilon=1.5, attack_steps=3, warmup_epochs=6.0
)


def _gaussian(sigma: float, seed: int, epochs: float, aim: int) -> NamedSettings:
    return NamedSettings(
        replace(_AT_LENGTH, procedure="gaussian", sigma=sigma, seed=seed, epochs=epochs),
        f"smoothing at sigma {sigma:g} on real ImageNet classes",
        expected=f"aim: {aim}% smoothed, 100 draws",
    )


_SHIPPED = {
    "imagenette-vanilla": NamedSettings(
        replace(_AT_LENGTH, procedure="vanilla", seed=24, epochs=40.0),
        "the comparison without noise or attacks on real ImageNet classes",
        expected="aim: 88% clean",
    ),
    "imagenette-adversarial-l2": NamedSettings(
        replace(_ATTACKED, seed=23, epochs=40.0),
        "the comparison with l2 adversarial training on real ImageNet classes",
        expected="aim: 84% clean",
    ),
    "imagenette-gaussian-0.25": _gaussian(0.25, seed=21, epochs=50.0, aim=86),
    "imagenette-gaussian-0.50": _gaussian(0.5, seed=15, epochs=60.0, aim=83),
    "imagenette-gaussian-1.00": _gaussian(1.0, seed=22, epochs=50.0, aim=77),
    "imagenette-smoothadv-0.50": NamedSettings(
        replace(
            _AT_LENGTH,
            procedure="smoothadv",
            sigma=0.5,
            epsilon=1.0,
            num_noise=2,
            warmup_epochs=3.0,
            epochs=18.0,
            peak_rate=0.05,
            init="imagenette-gaussian-0.50",
            seed=25,
        ),
        "smoothing at sigma 0.5 on real ImageNet classes, with larger certified radii",
        expected="aim: 82% smoothed, 100 draws",
    ),
    "imagenette-judge-adversarial-l2": NamedSettings(
        replace(
            _ATTACKED,
            stem="imagenet",
            stage_sizes=(2, 2, 2, 2),
            width=48,
            warmup_epochs=8.0,
            epochs=60.0,
            seed=14,
        ),
        "judging pictures made with the others; never used to make any",
        expected="aim: 84% clean",
    ),
}


def _antialiased(name: str, epochs: float, seed: int) -> NamedSettings:
    """What goes on from the shipped network."""
    shipped = _SHIPPED[name]
    settings = replace(
        shipped.settings,
        antialias=True,
        init=name,
        epochs=epochs,
        warmup_epochs=0.0,
        peak_rate=0.05,
        average=0.98,
        seed=seed,
    )
    purpose = f"{shipped.purpose}; strides see a blurred input"
    return NamedSettings(settings, purpose, expected=shipped.expected)


IMAGENETTE = {
    **_SHIPPED,
    **{
        f"{name}-antialiased": _antialiased(name, epochs, seed)
        for name, epochs, seed in (
            ("imagenette-vanilla", 1.0, 34),
            ("imagenette-adversarial-l2", 1.0, 35),
            ("imagenette-gaussian-0.25", 1.5, 32),
            ("imagenette-gaussian-0.50", 1.5, 31),
            ("imagenette-gaussian-1.00", 1.5, 33),
            ("imagenette-smoothadv-0.50", 1.0, 36),
        )
    },
}
