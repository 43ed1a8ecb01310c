"""Find, train and export the best Keras MLP for a data set.

>>> from tuner import open_study
>>> study = open_study("digits")
>>> study.run(trials=20)  # doctest: +SKIP
>>> study.export("model")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuner.study import Study, open_study

__all__ = ["Study", "__version__", "open_study"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Import :mod:`tuner.study` on first use: ``import tuner`` and ``tuner --help`` must be fast."""
    if name in {"Study", "open_study"}:
        import tuner.study

        return getattr(tuner.study, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
