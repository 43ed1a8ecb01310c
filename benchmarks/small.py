"""Compare tuner, KerasTuner and plain Optuna + Keras on small trials, as `throughput.py` does on MNIST.

python benchmarks/small.py [--rounds 2] [--workers 2] [--only tuner]

24 configurations of two hidden layers with equal widths, 20 epochs each, of the embedded digits, no pruning. Most of
the time goes to what surrounds the training.
"""

from __future__ import annotations

import contestants
import throughput

if __name__ == "__main__":
    throughput.main(__file__, __doc__, contestants.DIGITS)
