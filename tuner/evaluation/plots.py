"""Draws how good predictions are, each picture as SVG and PNG.

matplotlib, because it writes both by itself: Plotly, which the dashboard uses, needs a browser for either.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tuner.errors import UsageError
from tuner.evaluation.calibration import bins, with_temperature
from tuner.evaluation.evaluation import thin
from tuner.evaluation.measure import Measured
from tuner.printable import escaped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    Drawing = Callable[[Figure], None]

SUFFIXES = (".svg", ".png")
_POINTS = 2000  # of a scatter plot; more rows are drawn as a density, which stays small and readable
_STEPS = 1000  # of a curve
_NAMED = 30  # classes whose names fit beside a confusion matrix
_COUNTED = 12  # classes whose counts fit into it
_LONGEST = 24  # characters of a name
_OURS, _GREY = "#1f77b4", "#999999"


def draw(folder: Path, measured: Measured, y: NDArray[Any], predictions: NDArray[Any]) -> list[Path]:
    """Draw the pictures of a task.

    ``predicted_against_true`` for numbers; ``reliability`` and ``confusion`` for classes; ``roc_and_precision_recall``
    for two classes.

    Args:
        folder: An existing folder.
        measured: How good the predictions are.
        y: Classes as numbers from 0, or numbers, shape ``(rows,)``.
        predictions: Probabilities, shape ``(rows, classes)``, or numbers, shape ``(rows,)``.

    Returns:
        The files that were written.

    Raises:
        UsageError: If matplotlib is not installed.
    """
    files = []
    for name, drawing in _drawings(measured, y, predictions).items():
        with styled_figure() as figure:
            drawing(figure)
            for suffix in SUFFIXES:
                path = folder / f"{name}{suffix}"
                figure.savefig(path, dpi=150, metadata={"Date": None} if suffix == ".svg" else None)
                files.append(path)
    return files


def require_matplotlib() -> None:
    """Check that pictures can be drawn.

    Raises:
        UsageError: If matplotlib is not installed.
    """
    try:
        import matplotlib as _  # noqa: F401, ICN001 - only whether it is there
    except ImportError:
        raise UsageError("plots need matplotlib", hint="pip install 'mlp-tuner[plots]'") from None


def _drawings(measured: Measured, y: NDArray[Any], predictions: NDArray[Any]) -> dict[str, Drawing]:
    if measured.task == "regression":
        return {"predicted_against_true": lambda figure: _scatter(figure.subplots(), y, predictions.reshape(-1))}
    drawings: dict[str, Drawing] = {
        "reliability": lambda figure: _reliability(figure.subplots(), measured, y, predictions),
        "confusion": lambda figure: _confusion(figure.subplots(), measured),
    }
    if measured.task == "binary" and 0 < int(y.sum()) < len(y):
        drawings["roc_and_precision_recall"] = lambda figure: _curves(figure, measured, y, predictions[:, 1])
    return drawings


@contextmanager
def styled_figure() -> Iterator[Figure]:
    """Yield an empty figure in our style, whatever the user's own settings of matplotlib are."""
    require_matplotlib()
    import matplotlib as mpl
    from matplotlib.figure import Figure

    ours: dict[Any, Any] = {
        "text.parse_math": False,  # a class may be named $x$
        "svg.fonttype": "none",  # text stays text, in a font that has its characters
        "svg.hashsalt": "tuner",  # the same picture is the same file
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of characters that the font lacks
        mpl.rcdefaults()
        mpl.rcParams.update(ours)
        yield Figure(figsize=(6, 5), layout="constrained")


def _scatter(axes: Axes, y: NDArray[Any], predicted: NDArray[Any]) -> None:
    ends = [float(min(y.min(), predicted.min())), float(max(y.max(), predicted.max()))]
    if len(y) > _POINTS:
        hexagons = axes.hexbin(y, predicted, gridsize=60, bins="log", mincnt=1, cmap="Blues")
        axes.figure.colorbar(hexagons, ax=axes, label="rows", format="{x:,.0f}")
    else:
        axes.scatter(y, predicted, s=9, alpha=0.5, color=_OURS, linewidths=0)
    axes.plot(ends, ends, color=_GREY, linewidth=1, linestyle="--")
    axes.set(xlabel="true", ylabel="predicted", title=f"{len(y):,} rows")


def _reliability(axes: Axes, measured: Measured, y: NDArray[Any], probabilities: NDArray[Any]) -> None:
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1, linestyle="--")
    for each, colour in zip(measured.calibration, (_OURS, "#d62728"), strict=False):
        scaled = probabilities if each.temperature == 1 else with_temperature(probabilities, each.temperature)
        found = bins(y, scaled)
        label = "as they are" if each.temperature == 1 else f"temperature {each.temperature:.3g}"
        confidence, accuracy = [bin_.confidence for bin_ in found], [bin_.accuracy for bin_ in found]
        axes.plot(confidence, accuracy, marker="o", markersize=4, color=colour, label=f"{label}, error {each.ece:.4f}")
    axes.legend(frameon=False, loc="upper left")
    axes.set(xlabel="highest probability", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1), title="Reliability")


def _confusion(axes: Axes, measured: Measured) -> None:
    counts = np.array(measured.confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.figure.colorbar(image, ax=axes, label="share of the rows of a class")
    places = range(len(counts))
    if len(counts) <= _NAMED:
        names = [_short(each.name) for each in measured.classes]
        axes.set_xticks(places, names, rotation=45, ha="right")
        axes.set_yticks(places, names)
    if len(counts) <= _COUNTED:
        for i in places:
            for j in places:
                colour = "white" if shares[i, j] > 0.5 else "black"  # noqa: PLR2004 - on dark and on light blue
                axes.text(j, i, f"{counts[i, j]:,}", ha="center", va="center", color=colour, fontsize=8)
    axes.set(xlabel="predicted", ylabel="true", title=f"{measured.rows:,} rows")


def _short(name: str) -> str:
    shown = escaped(name)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"


def _curves(figure: Figure, measured: Measured, y: NDArray[Any], probability: NDArray[Any]) -> None:
    from sklearn.metrics import precision_recall_curve, roc_curve

    figure.set_size_inches(10, 5)
    roc, precision_recall = figure.subplots(1, 2)
    fall_out, sensitivity, _ = roc_curve(y, probability)
    precision, recall, _ = precision_recall_curve(y, probability)
    area, average = measured.metrics["auc"].value, measured.metrics["average_precision"].value
    roc.plot([0, 1], [0, 1], color=_GREY, linewidth=1, linestyle="--")
    roc.plot(thin(fall_out, _STEPS), thin(sensitivity, _STEPS), color=_OURS)
    roc.set(xlabel="false positive rate", ylabel="true positive rate", title=f"ROC, AUC {area:.4f}")
    precision_recall.axhline(y.mean(), color=_GREY, linewidth=1, linestyle="--")
    precision_recall.step(thin(recall, _STEPS), thin(precision, _STEPS), where="post", color=_OURS)
    precision_recall.set(xlabel="recall", ylabel="precision", title=f"average precision {average:.4f}")
    for axes in (roc, precision_recall):
        axes.set(xlim=(0, 1), ylim=(0, 1.02))
