"""Labelled images: class folders, lists of labels and data sets."""
