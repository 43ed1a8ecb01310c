"""The name under which this project is installed, and the install commands of every hint.

The command and the import are ``tuner``. The distribution is not: on the public index that name belongs to another
project, so a bare ``tuner`` would install a stranger's code.
"""

from __future__ import annotations

DISTRIBUTION = "mlp-tuner"

UPGRADE = f"pip install --upgrade {DISTRIBUTION}"
REINSTALL = f"pip install --force-reinstall {DISTRIBUTION}"


def install(extra: str | None = None) -> str:
    """Return the command that installs this project, with an extra if one is named. It can be pasted into a shell."""
    return f"pip install '{DISTRIBUTION}[{extra}]'" if extra else f"pip install {DISTRIBUTION}"
