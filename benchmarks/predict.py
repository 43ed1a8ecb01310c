"""Measure the peak memory of `tuner predict` with more and more rows.

python benchmarks/predict.py [--rows 100000,1000000] [--kinds npy,csv] [--model FOLDER]

Each run is a process of its own, which predicts random digits and writes the predictions to a CSV file. Without
--model, a model is trained first.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

PART = 10_000  # rows that are written at a time
SHAPE = (8, 8)
# At its end, the process prints its own peak: that of `wait` would include this process, from which it was forked.
PREDICT = """
import sys
from machine import resident
from tuner.cli.main import main
try:
    main(sys.argv[1:])
finally:
    print(f"peak {resident(peak=True)}", file=sys.stderr)
"""


def main() -> None:
    """Print one row per file, then the ratio of the peaks for each kind of file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="100000,1000000", help="numbers of rows [100000,1000000]")
    parser.add_argument("--kinds", default="npy,csv", help="kinds of files [npy,csv]")
    parser.add_argument("--model", type=Path, help="an exported model of the digits [a new one]")
    options = parser.parse_args()
    counts = [int(count) for count in options.rows.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        model = options.model or train(Path(folder))
        print("| input | rows | seconds | peak MiB |\n|---|---|---|---|")
        for kind in options.kinds.split(","):
            peaks = []
            for count in counts:
                path = Path(folder, f"{count}.{kind}")
                WRITERS[kind](path, count)
                seconds, peak = predict(model, path, count)
                path.unlink()
                peaks.append(peak)
                print(f"| {kind} | {count} | {seconds:.1f} | {peak:.0f} |")
            print(f"{kind}: {counts[-1] / counts[0]:g} times the rows, {peaks[-1] / peaks[0]:.2f} times the memory")


def train(folder: Path) -> Path:
    """Train one model of the digits for one epoch and export it."""
    home = ["--home", str(folder / "home")]
    model = folder / "model"
    run(["-m", "tuner", "study", "start", "digits", "--trials", "1", "--epochs", "1", "--workers", "1", *home])
    run(["-m", "tuner", "export", "digits", "-o", str(model), "--format", "onnx", *home])
    return model


def predict(model: Path, path: Path, rows: int) -> tuple[float, float]:
    """Return the seconds and the peak resident memory in MiB of predicting a file."""
    output = path.with_suffix(".out.csv")
    began = time.perf_counter()
    stderr = run(["-c", PREDICT, "predict", str(model), str(path), "-o", str(output)])
    seconds = time.perf_counter() - began
    with output.open(encoding="utf-8") as file:
        written = sum(1 for _ in file) - 1
    output.unlink()
    if written != rows:
        raise SystemExit(f"{written} predictions for {rows} rows")
    return seconds, next(float(line.split()[1]) for line in stderr.splitlines() if line.startswith("peak "))


def run(arguments: Sequence[str]) -> str:
    """Run Python in the folder of this script, where `machine` is; returns stderr."""
    here = Path(__file__).parent
    done = subprocess.run(  # noqa: S603 - our own scripts
        [sys.executable, *arguments], cwd=here, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stderr


def parts(rows: int) -> list[int]:
    """Return the sizes of the parts in which rows are written, so that this process stays small too."""
    return [min(PART, rows - start) for start in range(0, rows, PART)]


def write_npy(path: Path, rows: int) -> None:
    """Write random digits as an array of NumPy."""
    rng = np.random.default_rng(0)
    with path.open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (rows, *SHAPE)}
        np.lib.format.write_array_header_1_0(file, header)
        for part in parts(rows):
            file.write(rng.integers(0, 17, (part, *SHAPE), np.uint8).tobytes())


def write_csv(path: Path, rows: int) -> None:
    """Write random digits as a table, below names of columns."""
    rng = np.random.default_rng(0)
    pixels = SHAPE[0] * SHAPE[1]
    with path.open("w", encoding="utf-8") as file:
        file.write(",".join(f"pixel{i}" for i in range(pixels)) + "\n")
        for part in parts(rows):
            np.savetxt(file, rng.integers(0, 17, (part, pixels), np.uint8), "%d", ",")


WRITERS: dict[str, Callable[[Path, int], None]] = {"npy": write_npy, "csv": write_csv}


if __name__ == "__main__":
    main()
