"""Convolutions prepared for fast input gradients, and those that train; each in several forms."""
