"""Builds, trains and evaluates Keras models. Only this package and ``tuner.delivery`` import Keras and TensorFlow."""
