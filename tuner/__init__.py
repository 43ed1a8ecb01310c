"""Find, train and export the best Keras MLP for a data set.

>>> from tuner import open_study
>>> study = open_study("digits")
>>> study.run(trials=20)  # doctest: +SKIP
>>> study.export("model")  # doctest: +SKIP
"""

import os
import sys


def _do_not_import_from_the_current_folder() -> None:
    """Remove the folder that `python -m tuner` has put first, so that its files do not replace modules.

    If this package lies there, as in a checkout, the folder becomes the last one.
    """
    if sys.flags.safe_path:  # nothing was put there
        return
    try:
        current = os.getcwd()  # noqa: PTH109 - Python has imported `os` at its start, and other modules not yet
    except FileNotFoundError:  # it was removed, so it is not in the path
        return
    if sys.path[0] == current:
        del sys.path[0]
        if os.path.dirname(os.path.dirname(__file__)) == current:  # noqa: PTH120
            sys.path.append(current)


# `sys.argv` begins with -m while Python looks for the module that it shall run, which stands before the arguments.
if sys.argv[:1] == ["-m"] and sys.orig_argv[-len(sys.argv)].removeprefix("-m") == __name__:
    _do_not_import_from_the_current_folder()

from typing import TYPE_CHECKING  # noqa: E402

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
