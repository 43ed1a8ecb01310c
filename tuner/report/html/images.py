"""The images of a report: how the training of the winner changed them."""

from __future__ import annotations

from tuner.config.hyperparameters import Hyperparameters
from tuner.images.augmentation import Augmentation
from tuner.images.pictures import data_address, examples, mosaic, png
from tuner.report.html.facts import StudyFacts

_IMAGES, _COPIES = 8, 3


def augmented_images(facts: StudyFacts) -> str:
    """Return the address of a picture: eight images of the study, and below each three changed ones.

    It is empty if the winner was trained on images as they are, or if the study stored none.
    """
    if facts.best is None or facts.data is None:
        return ""
    schema, hp = facts.data.schema, Hyperparameters.from_params(facts.best.all_params)
    if Augmentation.of(hp, schema) is None:
        return ""
    shown = examples(facts.data.sample[:_IMAGES], schema, hp, _COPIES)
    return data_address(png(mosaic(shown.swapaxes(0, 1))))
