"""Files written whole or not at all; see `pagjax.io.atomic`."""

from __future__ import annotations

from pagjax.io.atomic import digest as digest
from pagjax.io.atomic import digest_json as digest_json
from pagjax.io.atomic import read_arrays as read_arrays
from pagjax.io.atomic import read_json as read_json
from pagjax.io.atomic import write_arrays as write_arrays
from pagjax.io.atomic import write_bytes as write_bytes
from pagjax.io.atomic import write_json as write_json
