"""What pagjax is held against, in tests and benchmarks: PyTorch's networks, a TPU's compiler."""
