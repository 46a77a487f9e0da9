"""PyTorch's residual networks, written anew: what conversion is tested against, speed measured."""
