"""Formats numbers, parameters and curves as short text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tuner.records import ParamValue

_BLOCKS = "▁▂▃▄▅▆▇█"
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
    """Return a metric with four decimals."""
    return "" if value is None else f"{value:.4f}"


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
