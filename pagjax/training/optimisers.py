"""Learning rates and optimisers, from Optax."""

from __future__ import annotations

import optax

from pagjax.training.settings import Settings, TrainingError


def schedule(settings: Settings, steps_per_epoch: int) -> optax.Schedule:
    """The learning rate of every step."""
    total = total_steps(settings, steps_per_epoch)
    if settings.schedule == "one-cycle":
        rise = max(1, round(settings.rise * total))
        up = optax.linear_schedule(settings.peak_rate / rise, settings.peak_rate, rise - 1)
        down = optax.linear_schedule(settings.peak_rate, 0.0, total - rise + 1)
        return optax.join_schedules([up, down], [rise - 1])
    if settings.schedule == "steps":
        drops = {round(epoch * steps_per_epoch): 0.1 for epoch in settings.drops}
        return optax.piecewise_constant_schedule(settings.peak_rate, drops)
    raise TrainingError(f"schedule {settings.schedule!r}: choose 'one-cycle' or 'steps'")


def total_steps(settings: Settings, steps_per_epoch: int) -> int:
    """How many steps the run takes."""
    return max(1, round(settings.epochs * steps_per_epoch))


def optimiser(settings: Settings, steps_per_epoch: int) -> optax.GradientTransformation:
    """The optimiser of a run."""
    rate = schedule(settings, steps_per_epoch)
    if settings.optimizer == "adamw":
        return optax.adamw(rate, weight_decay=settings.weight_decay)
    if settings.optimizer not in ("sgd", "heavy-ball"):
        raise TrainingError(
            f"optimizer {settings.optimizer!r}: choose 'sgd', 'heavy-ball' or 'adamw'"
        )
    momentum = optax.sgd(rate, settings.momentum, nesterov=settings.optimizer == "sgd")
    return optax.chain(optax.add_decayed_weights(settings.weight_decay), momentum)
