"""The images that a run trains on and is evaluated on: other ones, or said not to be."""

from __future__ import annotations

from pathlib import Path

from pagjax.io.data.class_folders import Classes
from pagjax.io.data.labelled_images import LabelledImages, num_shared, open_data
from pagjax.networks.base import BaseNetwork
from pagjax.training.run_folder import stored_side
from pagjax.training.settings import Settings, TrainingError


def open_both(
    settings: Settings, data_dir: Path | None, start: BaseNetwork | None
) -> tuple[LabelledImages, LabelledImages]:
    """Training images, and those that accuracies are measured on, of the same classes.

    Classes are those of the network to start from, or what the training data says; the other
    images are matched to them by name. What cannot be read is left out, see `LabelledImages`.

    Args:
        settings: of the run.
        data_dir: where TFDS prepared data.
        start: the network to start from.

    Raises:
        TrainingError: if images of one are images of the other, or a class has no training images.
    """
    side = settings.image_size
    stored = stored_side(side) if settings.crop == "resized" else side
    classes = None if start is None else Classes.of(start)
    data = open_data(settings.data, settings.train_split, stored, data_dir, classes=classes)
    split = settings.train_split if settings.evaluate_on_training else settings.test_split
    test = open_data(settings.data, split, side, data_dir, classes=data.classes)
    shared = num_shared(data, test)
    if shared and not settings.evaluate_on_training:
        raise TrainingError(
            f"{shared} of {len(test)} test images of {settings.data} ({split}) are training images "
            f"({settings.train_split}): make two folders, train and test, name them with "
            "`train_split` and `test_split`, or pass `evaluate_on_training`, which the card tells"
        )
    data, test = data.checked(hold=True), test.checked(hold=True)
    if start is None and data.files is not None:
        without = sorted(set(range(len(data.labels))) - set(data.targets.tolist()))
        if without:
            raise TrainingError(f"{settings.data}: no picture of {data.labels[without[0]]} is left")
    return data, test
