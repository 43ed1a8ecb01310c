"""Tests of the augmentation of images."""
