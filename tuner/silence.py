"""Hides the output of TensorFlow, of the model converters, and of polars when a file is damaged."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Discard all output to the terminal inside the block: prints, warnings and log messages.

    Libraries in C++ and Rust write directly to the file descriptors, so these are redirected too. This affects all
    threads of the process. Exceptions are not caught.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with contextlib.ExitStack() as stack:
        for stream, descriptor in ((sys.stdout, 1), (sys.stderr, 2)):
            if stream is not None:  # Python has no stream if its descriptor was closed when it started
                stream.flush()
            stack.enter_context(_discard(descriptor))
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _discard(descriptor: int) -> Iterator[None]:
    try:
        saved = os.dup(descriptor)
    except OSError:  # it is closed
        yield
        return
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, descriptor)
        yield
    finally:
        os.dup2(saved, descriptor)
        os.close(saved)
        os.close(sink)
