"""What this machine's processor can do."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_FACTS = Path("/proc/cpuinfo")


@cache
def has_narrow_units() -> bool:
    """Whether it has units for products of bfloat16 matrices (Intel's AMX); told on Linux only.

    Example:
        >>> has_narrow_units() in (False, True)
        True
    """
    try:
        return "amx_bf16" in _FACTS.read_text(errors="replace").split()
    except OSError:
        return False
