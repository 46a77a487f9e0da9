"""Gaussians fitted to the classes of a data set: fitted in bounded memory, kept small, shipped."""
