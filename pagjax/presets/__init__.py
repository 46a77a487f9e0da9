"""Named settings of the loop: the paper's, and cheaper ones."""

from __future__ import annotations

from pagjax.presets import paper as paper
from pagjax.presets.named import NAMES as NAMES
from pagjax.presets.named import Preset as Preset
from pagjax.presets.named import Schedule as Schedule
from pagjax.presets.named import growing as growing
from pagjax.presets.named import recipe as recipe
from pagjax.presets.named import settings as settings
from pagjax.presets.named import strategy as strategy

__all__ = ("NAMES", "Preset", "Schedule", "growing", "paper", "recipe", "settings", "strategy")
