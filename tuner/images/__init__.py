"""Moves, distorts and blurs images at random for training. Works on arrays of NumPy, TensorFlow and JAX."""
