"""Formats numbers, parameters and curves as short text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tuner.records import ParamValue

_BLOCKS = "▁▂▃▄▅▆▇█"
_FOUR_DECIMALS, _NO_DECIMALS = 100, 1e5  # metrics below the first have four decimals, from the second on none
_SHORT = {"learning_rate": "lr ", "dropout": "drop ", "batch_size": "batch "}


def sparkline(values: Sequence[float], width: int = 12) -> str:
    """Return the last ``width`` values as blocks; the scale runs from the lowest to the highest of them."""
    recent = list(values)[-width:]
    if not recent:
        return ""
    low, high = min(recent), max(recent)
    if high == low:
        return _BLOCKS[3] * len(recent)
    return "".join(_BLOCKS[round((value - low) / (high - low) * (len(_BLOCKS) - 1))] for value in recent)


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Return ``1 file`` or ``2 files``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {plural or f'{noun}s'}"


def duration(seconds: float) -> str:
    """Return ``8.2 s``, ``3:05 min`` or ``1:02:03 h``."""
    if round(seconds, 1) < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"


def number(value: ParamValue | None) -> str:
    """Return a value; a float has four significant digits, and a flag is ``yes`` or ``no``."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    return "yes" if value is True else "no" if value is False else str(value)


def rough(value: float) -> str:
    """Return an approximate value: three significant digits for a float, all digits for an integer."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def metric(value: float | None) -> str:
    """Return a metric with four decimals; large ones, such as errors in the units of a target, with six digits."""
    if value is None:
        return ""
    if abs(value) < _FOUR_DECIMALS:
        return f"{value:.4f}"
    return f"{value:,.6g}" if abs(value) < _NO_DECIMALS else f"{value:,.0f}"


def validation_metrics(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the metrics on the validation rows, by their names without ``val_``."""
    return {name.removeprefix("val_"): value for name, value in metrics.items() if name.startswith("val_")}


def metrics_line(metrics: Mapping[str, float]) -> str:
    """Return metrics on one line, the loss last."""
    in_order = sorted(metrics.items(), key=lambda item: item[0] == "loss")
    return "   ".join(f"{name} {metric(value)}" for name, value in in_order)


def figure(value: float | None) -> str:
    """Return a measured value of any size with about five digits: ``0.8352``, ``6.3680``, ``8873.5``, ``46,764``."""
    if value is None:
        return "-"
    size = abs(value)
    if size >= 10_000:  # noqa: PLR2004 - five digits before the point
        return f"{value:,.0f}" if size < 1e15 else f"{value:.4g}"  # noqa: PLR2004 - no longer exact
    if size >= 10:  # noqa: PLR2004 - two digits before the point
        return f"{value:.{2 if size < 1000 else 1}f}"  # noqa: PLR2004 - likewise
    return f"{value:.4f}" if size >= 0.01 or not value else f"{value:.4g}"  # noqa: PLR2004 - few digits after the point


def objective_value(name: str, value: float) -> str:
    """Return the value of an objective in the format that suits it."""
    if name == "parameters":
        return f"{value:,.0f}"
    if name == "seconds":
        return duration(value)
    return f"{value:.3f}" if name == "latency_ms" else metric(value)


def network(params: Mapping[str, ParamValue]) -> str:
    """Return the widths of the hidden layers as ``256-128``, or ``-`` if there are none."""
    widths = [params[f"units_{i}"] for i in range(len(params)) if f"units_{i}" in params]
    return "-".join(str(width) for width in widths) or "-"


def brief(params: Mapping[str, ParamValue]) -> str:
    """Return the main parameters of a trial in one short line."""
    parts = [network(params)] if "layers" in params or "units_0" in params else []
    names = ("optimizer", "learning_rate", "dropout", "batch_size", "activation")
    parts += [f"{_SHORT.get(name, '')}{number(params[name])}" for name in names if name in params]
    return "  ".join(parts)


def join_words(words: Sequence[str], conjunction: str = "and") -> str:
    """Return ``a``, ``a and b`` or ``a, b and c``."""
    return f" {conjunction} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
