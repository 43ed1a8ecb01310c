"""Hiding the output of libraries."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import os, sys
from tuner.silence import silenced

with silenced():
    print("hidden")
    os.write(2, b"hidden") if os.path.exists("/proc/self/fd/2") else None
print("shown", file=sys.__stderr__)
"""


@pytest.mark.parametrize("redirection", ["", ">&-", "2>&-", ">&- 2>&-"])
def test_output_is_hidden_also_if_a_stream_is_closed(redirection: str) -> None:
    """A program without a terminal may have closed them."""
    line = f'"{sys.executable}" -c "$0" {redirection}'
    result = subprocess.run(["bash", "-c", line, SCRIPT], capture_output=True, text=True, check=False)  # noqa: S607

    assert result.returncode == 0, result.stderr
    assert "hidden" not in result.stdout + result.stderr
    assert ("shown" in result.stderr) == ("2>" not in redirection)
