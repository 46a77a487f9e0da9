"""Checkpoints of other libraries, read without running what is in them, as networks of pagjax."""
