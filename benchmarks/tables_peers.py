"""Trains one peer on a prepared table with its defaults, and writes its predictions.

python benchmarks/tables_peers.py PEER PREPARED.npz PREDICTIONS.npz THREADS SEED

Imports nothing of tuner, so that a peer can have a Python of its own. Where a peer cannot take missing numbers, they
are the median of the training rows; where it cannot take text, categories are codes or one-hot.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ONE_HOT = 100  # columns of a category at most; with one for each of 2,932 surnames, the MLP is much worse
HGB_CATEGORIES = 255  # the most that scikit-learn's boosting splits as a category

Peer = Callable[["Prepared", int, int], NDArray[Any]]


class Prepared:
    """A table that `tables_split.prepare` wrote.

    Attributes:
        y: Target of the training rows: classes as numbers from 0, or numbers.
        classes: Number of classes; 0 if the target is a number.
        number: Numbers of the training rows and of the test rows, NaN where one is missing.
        category: Categories of both, as text.
    """

    def __init__(self, path: Path) -> None:
        with np.load(path, allow_pickle=False) as arrays:
            self.y = arrays["y"]
            self.classes = int(arrays["classes"])
            self.number = (arrays["number_train"], arrays["number_test"])
            self.category = (arrays["category_train"], arrays["category_test"])

    @property
    def filled(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """The numbers, with the median of the training rows where one is missing."""
        median = np.nanmedian(self.number[0], axis=0)
        train, test = (np.where(np.isnan(part), median, part) for part in self.number)
        return train, test

    @property
    def codes(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """The categories as whole numbers; -1 for those that no training row has."""
        from sklearn.preprocessing import OrdinalEncoder

        if not self.category[0].shape[1]:
            return self.category[0].astype(float), self.category[1].astype(float)
        encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1).fit(self.category[0])
        return encoder.transform(self.category[0]), encoder.transform(self.category[1])

    def frames(self, number: tuple[NDArray[Any], NDArray[Any]]) -> tuple[Any, Any, list[str]]:
        """Return training and test rows as pandas frames with categories, and the names of these."""
        import pandas as pd

        names = [f"c{i}" for i in range(self.category[0].shape[1])]
        frames = [pd.DataFrame(part, columns=[f"n{i}" for i in range(part.shape[1])]) for part in number]
        for i, name in enumerate(names):
            for frame, part in zip(frames, self.category, strict=True):
                frame[name] = pd.Categorical(part[:, i], categories=np.unique(self.category[0][:, i]))
        return frames[0], frames[1], names

    def predict(self, model: Any, rows: Any) -> NDArray[Any]:
        """Return probabilities, or numbers."""
        predictions: NDArray[Any] = np.asarray(model.predict_proba(rows) if self.classes else model.predict(rows))
        return predictions


def constant(data: Prepared, _threads: int, _seed: int) -> NDArray[Any]:
    """Predict the mean of the target, or the share of each class."""
    rows = len(data.number[1])
    if data.classes:
        return np.tile(np.bincount(data.y, minlength=data.classes) / len(data.y), (rows, 1))
    return np.full(rows, data.y.mean())


def sklearn_mlp(data: Prepared, _threads: int, seed: int) -> NDArray[Any]:
    """Train scikit-learn's MLP on standardised numbers, one-hot categories and a standardised target."""
    return _sklearn_mlp(data, random_state=seed)


def sklearn_mlp_stopped(data: Prepared, _threads: int, seed: int) -> NDArray[Any]:
    """Train scikit-learn's MLP likewise, with early stopping, which is off by default."""
    return _sklearn_mlp(data, random_state=seed, early_stopping=True)


def _sklearn_mlp(data: Prepared, **settings: Any) -> NDArray[Any]:
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    scaler = StandardScaler()
    encoder = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=ONE_HOT, sparse_output=False)
    parts = [(scaler.fit_transform(data.filled[0]), scaler.transform(data.filled[1]))]
    if data.category[0].shape[1]:
        parts.append((encoder.fit_transform(data.category[0]), encoder.transform(data.category[1])))
    train, test = (np.hstack([part[side] for part in parts]) for side in (0, 1))
    if data.classes:
        return data.predict(MLPClassifier(**settings).fit(train, data.y), test)
    model = TransformedTargetRegressor(MLPRegressor(**settings), transformer=StandardScaler())
    return data.predict(model.fit(train, data.y), test)


def boosting(data: Prepared, _threads: int, seed: int) -> NDArray[Any]:
    """Train scikit-learn's HistGradientBoosting on numbers and codes; its threads are those of OpenMP."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    train, test = (np.hstack([data.number[side], data.codes[side]]) for side in (0, 1))
    test = np.where(test == -1, np.nan, test) if data.category[0].shape[1] else test
    few = [len(np.unique(column)) <= HGB_CATEGORIES for column in data.codes[0].T]
    kind = HistGradientBoostingClassifier if data.classes else HistGradientBoostingRegressor
    mask = [False] * data.number[0].shape[1] + few
    return data.predict(kind(categorical_features=mask, random_state=seed).fit(train, data.y), test)


def lightgbm(data: Prepared, threads: int, seed: int) -> NDArray[Any]:
    """Train LightGBM."""
    import lightgbm as package

    train, test, _ = data.frames(data.number)
    kind = package.LGBMClassifier if data.classes else package.LGBMRegressor
    return data.predict(kind(n_jobs=threads, random_state=seed, verbose=-1).fit(train, data.y), test)


def catboost(data: Prepared, threads: int, seed: int) -> NDArray[Any]:
    """Train CatBoost."""
    import catboost as package
    import pandas as pd

    names = [f"c{i}" for i in range(data.category[0].shape[1])]
    train, test = (
        pd.concat([pd.DataFrame(number), pd.DataFrame(category, columns=names)], axis=1)
        for number, category in zip(data.number, data.category, strict=True)
    )
    kind = package.CatBoostClassifier if data.classes else package.CatBoostRegressor
    model = kind(thread_count=threads, random_seed=seed, verbose=False, allow_writing_files=False, cat_features=names)
    return data.predict(model.fit(train, data.y), test)


def realmlp(data: Prepared, threads: int, seed: int) -> NDArray[Any]:
    """Train pytabkit's RealMLP-TD."""
    from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor

    train, test, names = data.frames(data.filled)
    kind = RealMLP_TD_Classifier if data.classes else RealMLP_TD_Regressor
    model = kind(device="cpu", n_threads=threads, random_state=seed, verbosity=0)
    return data.predict(model.fit(train, data.y, cat_col_names=names), test).reshape(len(test), -1)


PEERS: dict[str, tuple[Peer, str | None]] = {
    "constant": (constant, None),
    "sklearn_mlp": (sklearn_mlp, "scikit-learn"),
    "sklearn_mlp_stopped": (sklearn_mlp_stopped, "scikit-learn"),
    "boosting": (boosting, "scikit-learn"),
    "lightgbm": (lightgbm, "lightgbm"),
    "catboost": (catboost, "catboost"),
    "realmlp": (realmlp, "pytabkit"),
}
"""The peers and their packages."""


def main() -> None:
    """Train the peer that the command line names. Seconds are those of training and predicting, without imports."""
    name, source, output, threads, seed = sys.argv[1:]
    peer, _ = PEERS[name]
    data = Prepared(Path(source))
    warnings.simplefilter("ignore")
    began = time.perf_counter()
    predictions = peer(data, int(threads), int(seed))
    if not data.classes:
        predictions = predictions.reshape(-1)
    np.savez(output, predictions=predictions, seconds=time.perf_counter() - began)


if __name__ == "__main__":
    main()
