"""Argument checks of the ground floor and of commands: every message names value and cure."""

from pagjax.core.checks.functions import LogitsFn as LogitsFn
from pagjax.core.checks.functions import as_partial as as_partial
from pagjax.core.checks.functions import is_concrete as is_concrete
from pagjax.core.checks.functions import noisy_logits as noisy_logits
from pagjax.core.checks.images import UNIT_BOX as UNIT_BOX
from pagjax.core.checks.images import Bounds as Bounds
from pagjax.core.checks.images import as_bounds as as_bounds
from pagjax.core.checks.images import as_image as as_image
from pagjax.core.checks.images import as_images as as_images
from pagjax.core.checks.images import as_network_input as as_network_input
from pagjax.core.checks.images import check_shape as check_shape
from pagjax.core.checks.images import num_classes as num_classes
from pagjax.core.checks.images import widened as widened
from pagjax.core.checks.numbers import LARGEST_SIGMA as LARGEST_SIGMA
from pagjax.core.checks.numbers import as_key as as_key
from pagjax.core.checks.numbers import check_count as check_count
from pagjax.core.checks.numbers import check_length as check_length
from pagjax.core.checks.numbers import check_non_negative as check_non_negative
from pagjax.core.checks.numbers import diagonal as diagonal
from pagjax.core.checks.numbers import draws_needed as draws_needed
from pagjax.core.checks.numbers import is_noiseless as is_noiseless
from pagjax.core.checks.numbers import largest_sigma as largest_sigma
from pagjax.core.checks.targets import as_target as as_target
from pagjax.core.checks.targets import as_targets as as_targets
