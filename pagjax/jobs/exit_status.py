"""How a command ends, to whoever called it."""

EXIT_DONE, EXIT_SOME_SKIPPED, EXIT_REFUSED, EXIT_INTERRUPTED = 0, 1, 2, 130
