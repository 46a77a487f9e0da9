"""Slices of TPUs that need not exist, for the TPU's own compiler."""

from __future__ import annotations

import os
from typing import Any

LAYOUTS = {1: "2x2", 4: "2x2", 8: "2x4", 16: "4x4"}
"""The smallest slice that compiles and holds so many chips; one chip is one of four."""


def topology(chip: str, count: int) -> Any:
    """So many devices of a slice that need not exist."""
    # Nothing of a cloud's machines is asked for, and no TPU held against other processes.
    os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")
    os.environ.setdefault("TPU_WORKER_HOSTNAMES", "localhost")
    os.environ.setdefault("ALLOW_MULTIPLE_LIBTPU_LOAD", "1")
    os.environ["JAX_PLATFORMS"] = "cpu"
    from jax.experimental import topologies

    try:
        found = topologies.get_topology_desc(
            platform="tpu", topology_name=f"{chip}:{LAYOUTS[count]}"
        )
    except Exception as error:
        raise SystemExit(
            f"no compiler for {chip}: {str(error).splitlines()[0]}; "
            "install it with `pip install -e '.[tpu-compiler]'`"
        ) from error
    return found.devices[:count]
