"""The training step: a pure function from state and batch to state and measurements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jax.tree_util import Partial

from pagjax.core.checks import LogitsFn
from pagjax.networks.convolutions.forms import Precision
from pagjax.networks.normalizer import NORMALIZERS
from pagjax.networks.resnet import Outputs, ResNet, fuse
from pagjax.training import optimisers, procedures
from pagjax.training.augmentation import augment
from pagjax.training.settings import Settings, TrainingError
from pagjax.training.weight_averaging import averaged
from pagjax.wording.names import one_of

Variables = dict[str, Any]


class State(NamedTuple):
    """What the next step needs.

    Attributes:
        step: how many steps were taken.
        variables: collections ``"params"`` and ``"batch_stats"``.
        average: of `variables` over the steps, see `weight_averaging`.
        optimizer: Optax's state.
        selection: which images are trained on, see `surveys`; () where all are.
    """

    step: Array
    variables: Variables
    average: Variables
    optimizer: Any
    selection: Any = ()


class Measured(NamedTuple):
    """What a step saw: its loss, and the accuracy on the images it trained on, noise included."""

    loss: Array
    accuracy: Array


class Batch(NamedTuple):
    """A batch on the devices, as `pagjax.training.data.Batch` has it in memory."""

    images: Array
    labels: Array
    soft_labels: Array | None = None


class Moment(NamedTuple):
    """How far a run is.

    Attributes:
        rise: share of the warm-up that is over.
        epoch: as a fraction.
    """

    rise: Array | float
    epoch: Array | float


AT_THE_END = Moment(1.0, float("inf"))

StepFn = Callable[..., tuple[State, Measured]]


def network_of(settings: Settings, num_classes: int) -> ResNet:
    """The Flax module that the settings describe."""
    if settings.normalizer not in NORMALIZERS:
        raise TrainingError(f"normalizer {settings.normalizer!r}: one of {', '.join(NORMALIZERS)}")
    return ResNet(settings.config, num_classes, NORMALIZERS[settings.normalizer])


def init(
    settings: Settings, network: ResNet, steps_per_epoch: int, start: Variables | None = None
) -> State:
    """The state before the first step.

    Args:
        settings: of the run.
        network: from `network_of`.
        steps_per_epoch: for the learning rate's schedule.
        start: variables to start from instead of random ones.
    """
    image = jnp.zeros((1, settings.image_size, settings.image_size, 3))
    # Compiled as one program, which takes a tenth of the time of layer after layer.
    variables = dict(jax.jit(network.init)(jax.random.key(settings.seed), image))
    if start is not None:
        _check_same_shapes(variables, start)
        variables = jax.tree.map(lambda a, b: jnp.asarray(b, a.dtype), variables, dict(start))
    return State(
        step=jnp.zeros((), jnp.int32),
        variables=variables,
        average=jax.tree.map(jnp.copy, variables),
        optimizer=optimisers.optimiser(settings, steps_per_epoch).init(variables["params"]),
    )


def make_step(
    settings: Settings, network: ResNet, steps_per_epoch: int, bayes: LogitsFn | None = None
) -> StepFn:
    """The compiled training step of a run.

    Args:
        settings: of the run.
        network: from `network_of`.
        steps_per_epoch: for schedules.
        bayes: the Bayes-optimal classifier, where the procedure asks for it.

    Returns:
        ``(state, images [batch, side, side, 3] in 8 bits, labels [batch], soft labels [batch,
        classes] where there is a teacher) -> (state, Measured)``; the state given is consumed. All
        randomness comes from the settings' seed and the state's step number.
    """
    check_names(settings)
    optimiser = optimisers.optimiser(settings, steps_per_epoch)
    precision = jnp.dtype(settings.precision)
    warmup = settings.warmup_epochs * steps_per_epoch

    def step(
        state: State, images: Array, labels: Array, soft_labels: Array | None = None
    ) -> tuple[State, Measured]:
        key = jax.random.fold_in(jax.random.key(settings.seed), state.step)
        rise = jnp.minimum(1.0, state.step / warmup) if warmup else 1.0
        moment = Moment(rise, state.step / steps_per_epoch)
        batch = Batch(images, labels, soft_labels)
        plan = plan_of(settings, network, state.variables, key, batch, moment, bayes)

        def loss_of(params: Variables) -> tuple[Array, tuple[Array, Variables]]:
            def through(seen: Array) -> tuple[Array, Variables]:
                outputs, changed = network.apply(
                    {**state.variables, "params": params},
                    seen.astype(precision),
                    train=True,
                    mutable=["batch_stats"],
                )
                return outputs.logits.astype(jnp.float32), changed["batch_stats"]

            return _loss(plan, through)

        params = state.variables["params"]
        (loss, (logits, statistics)), gradient = jax.value_and_grad(loss_of, has_aux=True)(params)
        updates, optimizer = optimiser.update(gradient, state.optimizer, params)
        variables = {
            "params": optax.apply_updates(params, updates),
            "batch_stats": jax.tree.map(lambda new: new.astype(jnp.float32), statistics),
        }
        copies = logits.shape[0] // labels.shape[0]
        right = jnp.argmax(logits, axis=-1) == jnp.repeat(labels, copies)
        following = State(
            step=state.step + 1,
            variables=variables,
            average=averaged(settings, steps_per_epoch, state.step, state.average, variables),
            optimizer=optimizer,
            selection=state.selection,
        )
        return following, Measured(loss, right.mean())

    return jax.jit(step, donate_argnums=0)


def _loss(
    plan: procedures.Plan, through: Callable[[Array], tuple[Array, Variables]]
) -> tuple[Array, tuple[Array, Variables]]:
    """A plan's loss, with the logits and the batch statistics that it came from."""
    if plan.gradient_loss is None:
        logits, statistics = through(plan.images)
        return plan.loss(logits), (logits, statistics)
    logits, pull, statistics = jax.vjp(through, plan.images, has_aux=True)
    loss = plan.loss(logits) + plan.gradient_loss(logits, lambda cotangent: pull(cotangent)[0])
    return loss, (logits, statistics)


def plan_of(
    settings: Settings,
    network: ResNet,
    variables: Variables,
    key: Array,
    batch: Batch,
    moment: Moment = AT_THE_END,
    bayes: LogitsFn | None = None,
) -> procedures.Plan:
    """What the procedure trains on, of a batch of 8-bit images.

    Args:
        settings: of the run.
        network: from `network_of`.
        variables: weights that an attack meets.
        key: of augmentation and noise.
        batch: images, labels and soft labels.
        moment: how far the run is.
        bayes: the Bayes-optimal classifier, where the procedure asks for it.
    """
    augmentation_key, procedure_key = jax.random.split(key)
    return procedures.BY_NAME[settings.procedure](
        procedures.Step(
            images=augment(settings, augmentation_key, batch.images),
            labels=batch.labels,
            key=procedure_key,
            logits_fn=frozen_logits(network, variables, settings.precision),
            epsilon=settings.epsilon * jnp.asarray(moment.rise),
            settings=settings,
            rise=moment.rise,
            epoch=moment.epoch,
            soft_labels=batch.soft_labels,
            bayes=bayes,
        )
    )


def frozen_logits(
    network: ResNet, variables: Variables, precision: Precision
) -> Callable[[Array], Array]:
    """The network in inference form, its weights constants, for attacks and evaluations."""

    def logits_fn(images: Array) -> Array:
        outputs: Outputs = fused.apply(folded, images)  # type: ignore[assignment]
        return outputs.logits

    fused, folded = fuse(network, jax.lax.stop_gradient(variables), precision)
    return logits_fn


def frozen_function(network: ResNet, variables: Variables, precision: Precision) -> Partial:
    """`frozen_logits` as a function that jit knows by the network and digests by the weights."""
    fused, folded = fuse(network, variables, precision)
    return Partial(_Frozen(fused), folded)


@dataclass(frozen=True)
class _Frozen:
    """The logits of a network in its inference form."""

    network: ResNet

    def __call__(self, folded: Variables, images: Array) -> Array:
        outputs: Outputs = self.network.apply(folded, images)  # type: ignore[assignment]
        return outputs.logits


def check_names(settings: Settings) -> None:
    """Refuses names of settings that mean nothing, before any data is read.

    Raises:
        TrainingError: naming the setting, with the closest name or all of them.
    """
    known: dict[str, Sequence[str]] = {
        name: get_args(kind)
        for name, kind in get_type_hints(Settings).items()
        if get_origin(kind) is Literal
    }
    known |= {"procedure": tuple(procedures.BY_NAME), "normalizer": tuple(NORMALIZERS)}
    for name, names in known.items():
        value = getattr(settings, name)
        if value not in names:
            raise TrainingError(f"{name} {value!r}: {one_of(str(value), names)}")


def _check_same_shapes(ours: Variables, given: Any) -> None:
    def shapes(tree: Any) -> dict[str, tuple[int, ...]]:
        leaves = jax.tree_util.tree_leaves_with_path(dict(tree))
        return {jax.tree_util.keystr(path): leaf.shape for path, leaf in leaves}

    wanted, found = shapes(ours), shapes(given)
    if wanted != found:
        differing = sorted(n for n in wanted | found if wanted.get(n) != found.get(n))
        name = differing[0]
        raise TrainingError(
            f"the checkpoint to start from is another network: {len(differing)} arrays differ, "
            f"{name} has shape {found.get(name)}, here {wanted.get(name)}"
        )
