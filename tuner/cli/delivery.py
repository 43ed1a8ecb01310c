"""The commands ``export``, ``predict`` and ``evaluate``. The last two need nothing but the exported folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tuner.cli import common
from tuner.cli.output import err, out, print_json, print_next, print_note, print_rich, result_stream
from tuner.command_line import command

if TYPE_CHECKING:
    from tuner.delivery.evaluate import Evaluation
    from tuner.delivery.manifest import Manifest

# A copy of the names in tuner.delivery.formats, which imports NumPy: `tuner --help` must stay instant.
FORMATS = ("keras", "saved-model", "onnx", "litert")
DEFAULT_FORMATS = ("keras", "saved-model")

_model = click.argument("model", type=common.UserPath(), help="The folder that `tuner export` wrote.")
_runtime = click.option(
    "--runtime",
    type=click.Choice(["auto", *FORMATS]),
    default="auto",
    show_default=True,
    help="The exported format to run the model with; auto takes the one that starts fastest.",
)


@click.command()
@common.study_name
@click.option("-o", "--output", type=common.UserPath(), required=True, help="Folder for the exported model.")
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
@click.option(
    "--ensemble/--no-ensemble",
    default=None,
    help="Export the average of the models that the study selected, or a single model.  [default: the average, if it "
    "is better on the validation rows]",
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
    ensemble: bool | None,
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
        ensemble=ensemble,
        on_step=lambda step: err(f"{step} …"),
    )
    err(f"exported: {_describe_model(manifest)}")
    if as_json:
        print_json(manifest.model_dump(mode="json"))
        return
    out(_export_table(manifest))
    print_next(
        _next_predict(output, manifest),
        (command("evaluate", output, manifest.data.name), "measure it on the test split"),
    )


@click.command()
@_model
@click.argument(
    "inputs",
    metavar="INPUT...",
    nargs=-1,
    required=True,
    type=common.UserPath(),
    help="Rows to predict: .npy, .npz, .csv or .png files, or a folder of .png files; for a model for tables .csv, "
    ".tsv (both also as .gz) or .parquet files.",
)
@click.option(
    "-o", "--output", type=common.UserPath(), default="-", help="The .csv or .json file to write.  [default: stdout]"
)
@click.option("--force", is_flag=True, help="Replace the file of -o, whatever it holds.")
@click.option(
    "--array", metavar="NAME", help="Array to read from .npz files.  [default: x_test, else x, else the only one]"
)
@click.option("--invert", is_flag=True, help="Swap black and white in images. MNIST is white on black.")
@click.option(
    "--header/--no-header",
    default=None,
    help="Whether the first line of .csv files holds the names of the columns.  [default: decided by its contents]",
)
@click.option(
    "--ignore-column",
    "ignored",
    metavar="NAME",
    multiple=True,
    help="Column of .csv files that is no feature; repeat the option for several. Columns label and y need no option. "
    "A model for tables needs none.",
)
@click.option(
    "--keep",
    metavar="COLUMN",
    multiple=True,
    help="Column to copy into the output, such as an id; repeat the option for several. For tables.",
)
@click.option(
    "--proba/--no-proba",
    default=None,
    help="Whether to write the probability of each class.  [default: yes, but no for tables]",
)
@_runtime
@common.as_json
def predict(
    *,
    model: Path,
    inputs: tuple[Path, ...],
    output: Path,
    force: bool,
    array: str | None,
    invert: bool,
    header: bool | None,
    ignored: tuple[str, ...],
    keep: tuple[str, ...],
    proba: bool | None,
    runtime: str,
    as_json: bool,
) -> None:
    """Predict new rows with an exported model.

    Prints CSV with the column prediction and one column per class, such as p_0; or JSON. If the inputs are images,
    the first column is the file. Tables may have their columns in any order. Rows are read, predicted and written in
    parts, so there may be more than fit into memory.
    """
    from tuner.delivery.predict import Predictor
    from tuner.delivery.predictions import is_prediction, save_predictions, write_predictions
    from tuner.delivery.readers import ReadOptions, read_rows
    from tuner.output_file import STDOUT, OutputFile

    predictor = Predictor(model, runtime=runtime)
    protected = {model: "the exported model"}
    if str(output) != STDOUT:  # without a file to write, `predict` needs to know nothing of studies
        from tuner_storage import locate

        protected |= locate().protected
    target = OutputFile(output, force=force, earlier=is_prediction, inputs=inputs, protected=protected)
    options = ReadOptions(array=array, invert=invert, header=header, ignore=ignored, keep=keep)
    predictions = predictor.predict(read_rows(inputs, predictor.manifest, options, print_note))
    proba = predictor.manifest.table is None if proba is None else proba
    if target.is_stdout:
        write_predictions(predictions, result_stream(as_json=as_json), as_json=as_json, proba=proba)
        return
    as_json = as_json or output.suffix.lower() == ".json"
    rows = save_predictions(predictions, target, as_json=as_json, proba=proba)
    err(f"{rows} predictions written to {output} (runtime {predictor.runtime})")
    print_next((command("evaluate", model, predictor.manifest.data.name), "measure the model on the test split"))


@click.command()
@_model
@click.argument("data", help="A name from `tuner data list`, or an .npz file; for a model for tables, a table.")
@common.data_dir
@click.option("--split", type=click.Choice(["test"]), default="test", show_default=True, help="The rows to use.")
@_runtime
@click.option(
    "--resamples",
    type=click.IntRange(0, 100_000),
    metavar="N",
    default=1000,
    show_default=True,
    help="Resamples of the rows for the 95 % intervals; 0 computes none.",
)
@click.option("--plots", type=common.UserPath(), metavar="FOLDER", help="A new folder for plots, as SVG and PNG.")
@common.as_json
def evaluate(
    *,
    model: Path,
    data: str,
    data_dir: Path | None,
    split: str,
    runtime: str,
    resamples: int,
    plots: Path | None,
    as_json: bool,
) -> None:
    """Measure an exported model on a test split, or on labelled rows of your own.

    An .npz file needs x_test and y_test, or x and y. Of the table that the model was trained on, the test rows are
    measured; of another table, all rows that have a target. Prints the metrics of the task with 95 % intervals, what is
    taken for what, and how far the probabilities can be trusted.
    """
    from tuner.data.lookup import load_dataset
    from tuner.delivery.checked_files import read_manifest
    from tuner.delivery.evaluate import check_dataset
    from tuner.delivery.evaluate import evaluate as run
    from tuner.delivery.evaluate_table import evaluate_table
    from tuner.delivery.labelled import file_of_labelled_rows, read_labelled
    from tuner.delivery.plots import check_plots, save_plots

    if plots is not None:
        check_plots(plots)
    manifest = read_manifest(model)
    if manifest.table is not None:
        evaluation = evaluate_table(model, data, print_note, data_dir=data_dir, runtime=runtime, resamples=resamples)
    else:
        own = file_of_labelled_rows(data, data_dir)
        if own is not None:
            x, y = read_labelled(own, manifest.input)
        else:
            dataset = load_dataset(data, data_dir)
            x, y = getattr(dataset, f"x_{split}"), dataset.labels(getattr(dataset, f"y_{split}"))
            check_dataset(manifest, data, x, y)
        evaluation = run(model, x, y, runtime=runtime, resamples=resamples)
    if plots is not None:
        err(f"{len(save_plots(plots, evaluation))} plots written to {plots}")
    if as_json:
        print_json(evaluation.to_json())
    else:
        _print_evaluation(evaluation)
        print_next(_next_predict(model, manifest))


def _next_predict(model: Path, manifest: Manifest) -> tuple[str, str]:
    """Return a command that predicts new rows, and what it does."""
    rows = "new.npz" if manifest.table is None else "new.csv"
    return command("predict", model, rows, o="predictions.csv"), "predict new rows"


def _describe_model(manifest: Manifest) -> str:
    """Return which model was exported."""
    if manifest.ensemble:
        shares = ", ".join(f"{member.number} ({member.weight:.0%})" for member in manifest.ensemble)
        return f"the average of {len(manifest.ensemble)} models: trials {shares}"
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


def _print_evaluation(evaluation: Evaluation) -> None:
    """Print what was measured, in one line and tables."""
    from tuner.report.evaluation import evaluation_tables, heading

    out(heading(evaluation.measured))
    for table in evaluation_tables(evaluation.measured, evaluation.baselines):
        print_rich(table)
