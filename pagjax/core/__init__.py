"""The mathematics: smoothing, gradients and the projected loop, on arrays and keys; only JAX."""
