"""Print the seconds from the start of `tuner study start` to each phase of a short run, as its log says.

python benchmarks/start.py [--rounds 3] [--search digits]

Each round runs the command in a new folder, with two trials of one epoch, and shows when the lines of `--debug` arrive.
Those of workers are passed on by the coordinator, so they arrive late while it is busy. The last line has the CPU time
of all processes.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time

from rich.console import Console

from tuner.report.tables import new_table

COMMAND = "--debug study start {} --trials 2 --epochs 1 --quiet --home {}"


def measure(search: str) -> list[tuple[str, float]]:
    """Run the command; return the text of each line of its log with its seconds, and at last the process itself."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    phases: list[tuple[str, float]] = []
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", "tuner", *COMMAND.format(search, home).split()]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
            for line in process.stderr or ():
                _, found, message = line.partition(" DEBUG ")
                if found:
                    phases.append((message.rsplit(": ", 1)[-1].strip(), time.perf_counter() - began))
    if process.returncode:
        raise SystemExit(f"the command failed with exit code {process.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return [*phases, ("the process has ended", time.perf_counter() - began), ("(CPU time of all processes)", cpu)]


def main() -> None:
    """Print the table of the fastest round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="[3]")
    parser.add_argument("--search", default="digits", help="[digits]")
    options = parser.parse_args()
    rounds = [measure(options.search) for _ in range(options.rounds)]
    table = new_table(f"The start of {options.search}, the fastest of {options.rounds} rounds")
    table.add_column("phase")
    table.add_column("seconds", justify="right")
    for phase, seconds in min(rounds, key=lambda phases: phases[-2][1]):
        table.add_row(phase, f"{seconds:.2f}")
    Console(width=80).print(table)


if __name__ == "__main__":
    main()
