"""Tests of the package :mod:`tuner.delivery.fronts`."""
