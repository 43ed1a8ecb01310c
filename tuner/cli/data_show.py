"""The command ``tuner data show``."""

from __future__ import annotations

from pathlib import Path

import click

from tuner.cli import common, output
from tuner.command_line import command

_COPIES = 7  # changed images beside each original
_MOST = 10  # originals


@click.command("show")
@click.argument("name", help="A name from `tuner data list`, or an .npz file of your own, with images.")
@click.option(
    "--augment",
    metavar="AMOUNTS",
    help="How training would change them, such as shift=1,rotation=10: shift, rotation, zoom, elastic, flip, noise.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the changes.")
@click.option(
    "-o",
    "--output",
    "path",
    metavar="FILE",
    type=common.UserPath(),
    help="The picture, a PNG file.  [default: NAME.png]",
)
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@common.data_dir
def show_command(
    *, name: str, augment: str | None, seed: int, path: Path | None, force: bool, data_dir: Path | None
) -> None:
    """Draw images of a data set as PNG, one of each class.

    With --augment, seven changed images follow each one: what the same amounts as parameters do in training. Prints the
    path of the picture.
    """
    import numpy as np

    from tuner.config.hyperparameters import Hyperparameters
    from tuner.data.lookup import files_of, load_dataset
    from tuner.data.schema import schema_of
    from tuner.errors import UsageError
    from tuner.images.augmentation import are_images
    from tuner.images.pictures import amounts_of, examples, mosaic, png
    from tuner.output_file import OutputFile

    amounts = Hyperparameters() if augment is None else amounts_of(augment)
    data = load_dataset(name, data_dir, download=False)
    schema = schema_of(data, np.arange(len(data.x_train), dtype=np.int32))
    if not are_images(schema):
        raise UsageError(
            f"the rows of '{name}' are no images: their shape is {schema.shape}",
            hint="images have the shape (height, width) or (height, width, channels)",
        )
    file = OutputFile(path or Path(f"{Path(name).stem}.png"), force=force, inputs=files_of(name, data_dir))
    _, first = np.unique(data.y_train, return_index=True)
    shown = examples(data.x_train[first[:_MOST]], schema, amounts, 0 if augment is None else _COPIES, seed=seed)
    with file.file() as temporary:
        temporary.write_bytes(png(mosaic(shown if augment is not None else shown.swapaxes(0, 1))))
    if not file.is_stdout:
        output.out(str(file))
        output.print_next((command("space", "show", "mnist"), "a search that augments images"))
