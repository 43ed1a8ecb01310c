"""Compare a dense layer and its gradients in float32 and in bfloat16, conversions included, for many shapes.

python benchmarks/products.py [--rows 32,64,128,256] [--units 64,128,256,512]

The first layer reads 784 pixels as the training program does: it gathers rows, and has no gradient for them. A hidden
layer is square. One thread; microseconds of CPU time per step, the smallest of several rounds in turn; and the ratio.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console

from tuner.report.tables import new_table

STEPS, ROUNDS, PIXELS, IMAGES = 60, 8, 784, 20_000


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="32,64,128,256", help="batch sizes [32,64,128,256]")
    parser.add_argument("--units", default="64,128,256,512", help="units of the layer [64,128,256,512]")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from tuner.training.runtime import prepare

    prepare("cpu", threads=1)
    table = new_table("Microseconds per step of a dense layer on one thread")
    for column in ("rows", "layer", "float32", "bfloat16", "ratio"):
        table.add_column(column, justify="right")
    for rows in map(int, options.rows.split(",")):
        for units in map(int, options.units.split(",")):
            for inputs, steps in ((PIXELS, first(rows, units)), (units, hidden(rows, units))):
                exact, rounded = measure(steps)
                table.add_row(
                    str(rows), f"{inputs} x {units}", f"{exact:.0f}", f"{rounded:.0f}", f"{exact / rounded:.2f}"
                )
    Console(width=110).print(table)


def first(rows: int, units: int) -> list[Callable[[], Any]]:
    """Return a function for each precision that does the steps of a layer that reads pixels."""
    import tensorflow as tf

    from tuner.training.products import scaled_product

    images = tf.cast(tf.random.uniform((IMAGES, PIXELS), 0, 255, tf.int32), tf.uint8)
    short, factor = tf.cast(images, tf.bfloat16), tf.constant([1 / 255])
    chosen = tf.random.uniform((rows,), 0, IMAGES, tf.int32)

    def exact(_: Any, kernel: Any) -> Any:
        return tf.matmul(tf.cast(tf.gather(images, chosen), tf.float32) * factor, kernel)

    def rounded(_: Any, kernel: Any) -> Any:
        return scaled_product(tf.gather(short, chosen), kernel, factor)

    return [repeated(product, rows, PIXELS, units, watches_inputs=False) for product in (exact, rounded)]


def hidden(rows: int, units: int) -> list[Callable[[], Any]]:
    """Return a function for each precision that does the steps of a square layer."""
    import tensorflow as tf

    from tuner.training.products import rounded_product

    return [repeated(product, rows, units, units, watches_inputs=True) for product in (tf.matmul, rounded_product)]


def repeated(
    product: Callable[[Any, Any], Any], rows: int, inputs: int, units: int, *, watches_inputs: bool
) -> Callable[[], Any]:
    """Return a function that computes a product and its gradients many times in one program."""
    import tensorflow as tf

    x, kernel, upstream = (tf.random.normal(shape) for shape in ((rows, inputs), (inputs, units), (rows, units)))

    def step(i: Any, total: Any) -> tuple[Any, Any]:
        zero = tf.cast(i, tf.float32) * 0  # else the product would be computed once, before the loop
        sources = [kernel + zero, *([x + zero] if watches_inputs else [])]
        with tf.GradientTape() as tape:
            tape.watch(sources)
            y = product(sources[-1] if watches_inputs else x, sources[0])
        gradients = tape.gradient(y, sources, output_gradients=upstream)
        return i + 1, total + sum(value[0, 0] for value in (y, *gradients))

    def steps() -> Any:
        begin = tf.constant(0), tf.constant(0.0)
        return tf.while_loop(lambda i, _: i < STEPS, step, begin, parallel_iterations=1)

    program: Callable[[], Any] = tf.function(steps, autograph=False)
    return program


def measure(programs: list[Callable[[], Any]]) -> list[float]:
    """Return the microseconds of CPU time per step of each program."""
    best = [float("inf")] * len(programs)
    for program in programs:
        program()
    for _ in range(ROUNDS):
        for i, program in enumerate(programs):
            began = time.process_time()
            program()
            best[i] = min(best[i], 1e6 * (time.process_time() - began) / STEPS)
    return best


if __name__ == "__main__":
    main()
