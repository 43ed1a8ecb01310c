"""How another Python process is started: without modules of the current folder, and without passwords and keys."""

from __future__ import annotations

import os
import sys

# They may hold the password of the database, or keys of the artifacts in S3. Only the coordinator opens these. What a
# process has in its environment can end in logs and crash reports of libraries.
_SECRETS = {"TUNER_STORAGE", "PGPASSWORD"}
_CLOUD = "AWS_"


def python_command(code: str, *arguments: str) -> list[str]:
    """Return the command that runs ``code`` with this interpreter.

    With ``-P``, a ``queue.py`` in the current folder does not replace a module of Python. Modules are looked up in the
    folders of this process last, because only it may know where ``tuner`` is.

    Args:
        code: Python code, which finds the arguments in ``sys.argv[1:]``.
        arguments: Its arguments.
    """
    flag = "-I" if sys.flags.isolated else "-P"
    start = f"import sys\nsys.path += sys.argv[{len(arguments) + 1}:]\n{code}"
    return [sys.executable, flag, "-c", start, *arguments, *filter(None, sys.path)]


def child_environment() -> dict[str, str]:
    """Return the environment for such a process. Python processes that it starts have safe paths too."""
    kept = {name: value for name, value in os.environ.items() if not _is_secret(name)}
    return kept | {"PYTHONSAFEPATH": "1"}


def forget_secrets() -> None:
    """Remove passwords and keys from the environment of this process, and of those that it starts."""
    for name in filter(_is_secret, list(os.environ)):
        del os.environ[name]


def _is_secret(name: str) -> bool:
    return name in _SECRETS or name.startswith(_CLOUD)
