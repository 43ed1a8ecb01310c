"""The commands ``export``, ``predict`` and ``evaluate``. The last two need nothing but the exported folder."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tuner.cli import common

if TYPE_CHECKING:
    from tuner.delivery.evaluate import Evaluation
    from tuner.delivery.manifest import Manifest

# A copy of the names in tuner.delivery.formats, which imports NumPy: `tuner --help` must stay instant.
FORMATS = ("keras", "saved-model", "onnx", "litert")
DEFAULT_FORMATS = ("keras", "saved-model")

_model = click.argument("model", type=click.Path(path_type=Path), help="The folder that `tuner export` wrote.")
_runtime = click.option(
    "--runtime",
    type=click.Choice(["auto", *FORMATS]),
    default="auto",
    show_default=True,
    help="The exported format to run the model with; auto takes the one that starts fastest.",
)


@click.command()
@common.study_name
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder for the exported model.")
@click.option("--trial", type=click.IntRange(min=0), metavar="N", help="Number of the trial.  [default: the best one]")
@click.option(
    "--format",
    "formats",
    type=click.Choice(FORMATS),
    multiple=True,
    default=DEFAULT_FORMATS,
    show_default=True,
    help="Format of the model; repeat the option for several formats.",
)
@click.option(
    "--refit/--no-refit",
    default=None,
    help="Export the refit (trained on all rows), or the model as it was validated.  [default: for the "
    "best trial the refit, if there is one]",
)
@click.option("--force", is_flag=True, help="Replace an exported model in the folder.")
@common.storage_options
@common.data_dir
@common.as_json
def export(
    *,
    name: str,
    output: Path,
    trial: int | None,
    formats: tuple[str, ...],
    refit: bool | None,
    force: bool,
    home: Path | None,
    storage: str | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Export the best model of a study.

    The exported folder works without the study and without tuner. Each format is loaded again and its output is
    compared with the original model on real rows. The folder appears only if everything succeeds.
    """
    from tuner.study import load_study

    manifest = load_study(name, home=home, storage=storage, data_dir=data_dir).export(
        output,
        trial=trial,
        formats=formats,
        force=force,
        refit=refit,
        on_step=lambda step: click.echo(f"{step} …", err=True),
    )
    click.echo(f"exported: {_describe_model(manifest)}", err=True)
    if as_json:
        common.print_json(manifest.model_dump(mode="json"))
        return
    click.echo(_export_table(manifest))
    folder = shlex.quote(str(output))
    common.print_next(
        (f"tuner predict {folder} new.npz -o predictions.csv", "classify new rows"),
        (f"tuner evaluate {folder} {shlex.quote(manifest.data.name)}", "measure it on the test split"),
    )


@click.command()
@_model
@click.argument(
    "inputs",
    metavar="INPUT...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
    help="Rows to classify: .npy, .npz, .csv or .png files, or a folder of .png files.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="The .csv or .json file to write.  [default: stdout]"
)
@click.option(
    "--array", metavar="NAME", help="Array to read from .npz files.  [default: x_test, else x, else the only one]"
)
@click.option("--invert", is_flag=True, help="Swap black and white in images. MNIST is white on black.")
@_runtime
@common.as_json
def predict(
    *,
    model: Path,
    inputs: tuple[Path, ...],
    output: Path | None,
    array: str | None,
    invert: bool,
    runtime: str,
    as_json: bool,
) -> None:
    """Classify new rows with an exported model.

    Prints CSV with the column prediction and one column per class, such as p_0; or JSON.
    """
    from tuner.delivery.manifest import read_manifest
    from tuner.delivery.predict import predict as run
    from tuner.delivery.readers import load_rows

    manifest = read_manifest(model)
    rows = load_rows(inputs, manifest, array=array, invert=invert)
    prediction = run(model, rows, runtime=runtime)
    if output is None:
        prediction.write(sys.stdout, as_json=as_json)
        return
    prediction.save(output, as_json=as_json or output.suffix.lower() == ".json")
    click.echo(f"{len(rows)} predictions written to {output} (runtime {prediction.runtime})", err=True)
    command = f"tuner evaluate {shlex.quote(str(model))} {shlex.quote(manifest.data.name)}"
    common.print_next((command, "measure the model on the test split"))


@click.command()
@_model
@click.argument("data", help="A name from `tuner data list`, or an .npz file.")
@common.data_dir
@click.option("--split", type=click.Choice(["test"]), default="test", show_default=True, help="The rows to use.")
@_runtime
@common.as_json
def evaluate(*, model: Path, data: str, data_dir: Path | None, split: str, runtime: str, as_json: bool) -> None:
    """Measure an exported model on a test split.

    Prints accuracy, loss, and the recall of each class.
    """
    from tuner.data.lookup import load_dataset
    from tuner.delivery.evaluate import check_dataset
    from tuner.delivery.evaluate import evaluate as run
    from tuner.delivery.manifest import read_manifest

    manifest = read_manifest(model)
    dataset = load_dataset(data, data_dir)
    x, y = getattr(dataset, f"x_{split}"), getattr(dataset, f"y_{split}")
    check_dataset(manifest, data, x, len(dataset.class_names))
    evaluation = run(model, x, y, runtime=runtime)
    if as_json:
        common.print_json(dataclasses.asdict(evaluation))
    else:
        click.echo(_evaluation_table(evaluation))
        command = f"tuner predict {shlex.quote(str(model))} new.npz -o predictions.csv"
        common.print_next((command, "classify new rows"))


def _describe_model(manifest: Manifest) -> str:
    """Return which model was exported."""
    if manifest.refit is None:
        return f"trial {manifest.trial}, as it was validated"
    return f"trial {manifest.trial}, trained again on all {manifest.refit.rows} rows"


def _export_table(manifest: Manifest) -> str:
    """Return one line per format: its size, and how much its output differs from the original model."""
    lines = [f"{'format':<12} {'path':<14} {'size':>10}   max difference"]
    for name, saved in manifest.formats.items():
        inside = f"{saved.path}/"
        size = sum(file.bytes for path, file in manifest.files.items() if path == saved.path or path.startswith(inside))
        lines.append(f"{name:<12} {saved.path:<14} {size / 1000:>7.1f} kB   {saved.max_difference:.1e}")
    return "\n".join(lines)


def _evaluation_table(evaluation: Evaluation) -> str:
    """Return accuracy and loss, then one line per class."""
    width = max(5, *(len(name) for name in evaluation.recall))
    lines = [
        f"rows      {evaluation.rows}",
        f"accuracy  {evaluation.accuracy:.4f}",
        f"loss      {evaluation.loss:.4f}",
        "",
        f"{'class':<{width}} {'rows':>7} {'recall':>7}",
    ]
    for (name, recall), row in zip(evaluation.recall.items(), evaluation.confusion, strict=True):
        lines.append(f"{name:<{width}} {sum(row):>7} {'-' if recall is None else f'{recall:.4f}':>7}")
    return "\n".join(lines)
