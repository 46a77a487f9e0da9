"""Converts a published PyTorch checkpoint to a pagjax one: see --help."""

from pagjax.convert.command import main

if __name__ == "__main__":
    raise SystemExit(main())
