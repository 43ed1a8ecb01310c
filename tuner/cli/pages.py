"""Writes pages to the files that a command names: as HTML, as PDF, or both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.cli.common import only_output, study_output
from tuner.cli.output import err, print_json

if TYPE_CHECKING:
    from tuner.study import Study


def write_pages(
    make: Callable[[], str], html: Path | None, pdf: Path | None, study: Study, *, force: bool, as_json: bool
) -> bool:
    """Write a page, and say so on stderr. All files are checked before the page is made.

    Args:
        make: Returns the page as HTML.
        html: The file for the page; ``-`` is standard output.
        pdf: The file for the printed page.
        study: A study that the page shows; nothing of it is replaced.
        force: Replace files, whatever they hold.
        as_json: Print the names of the files as JSON.

    Returns:
        Whether anything may follow on stdout and stderr: not if the page itself went to stdout.

    Raises:
        UsageError: If a file must not be written, both are the same, or there is no browser that prints.
    """
    from tuner.errors import UsageError
    from tuner.report.html.pdf import find_browser, print_pdf

    if html is not None and html == pdf:
        raise UsageError(f"--html and --pdf both name {html}", hint="name two files")
    place, data = study.location, study.recipe.data
    outputs = {
        kind: study_output(path, place, data, force=force, earlier=earlier, data_dir=study.data_dir)
        for kind, path, earlier in (("html", html, is_page), ("pdf", pdf, is_pdf))
        if path is not None
    }
    to_stdout = [only_output(output, as_json=as_json) for output in outputs.values()]
    if "pdf" in outputs:
        find_browser()
    page = make()
    if "html" in outputs:
        with outputs["html"].text() as stream:
            stream.write(page)
    if "pdf" in outputs:
        with outputs["pdf"].file() as temporary:
            print_pdf(page, temporary)
    if as_json:
        print_json({kind: str(output) for kind, output in outputs.items()})
    if not any(to_stdout):
        err(f"Wrote {' and '.join(map(str, outputs.values()))}.")
    return not any(to_stdout)


def is_page(path: Path) -> bool:
    """Return whether a file begins like a page of ours."""
    with path.open("rb") as file:
        return b'<meta name="generator" content="tuner">' in file.read(2000)


def is_pdf(path: Path) -> bool:
    """Return whether a PDF file was printed from a page of ours."""
    with path.open("rb") as file:
        start = file.read(4096)
    return start.startswith(b"%PDF-") and b"/Creator" in start and b"Report of the study" in start
