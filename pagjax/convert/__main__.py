"""`python -m pagjax.convert`: turns a published PyTorch checkpoint into one of pagjax's."""

from pagjax.convert.command import main

if __name__ == "__main__":
    raise SystemExit(main())
