"""Build, train and evaluate Keras models; with ``tuner.delivery`` the only importer of Keras and TensorFlow."""
