"""`python -m pagjax`: the command `pagjax`, where the shell does not find it."""

from pagjax.commands.door import main

if __name__ == "__main__":
    raise SystemExit(main())
