"""Argument checks of the ground floor and of commands: every message names value and cure."""

from pagjax.checks.functions import LogitsFn as LogitsFn
from pagjax.checks.functions import as_partial as as_partial
from pagjax.checks.functions import is_concrete as is_concrete
from pagjax.checks.functions import noisy_logits as noisy_logits
from pagjax.checks.images import UNIT_BOX as UNIT_BOX
from pagjax.checks.images import Bounds as Bounds
from pagjax.checks.images import as_bounds as as_bounds
from pagjax.checks.images import as_image as as_image
from pagjax.checks.images import as_images as as_images
from pagjax.checks.images import as_network_input as as_network_input
from pagjax.checks.images import check_shape as check_shape
from pagjax.checks.images import num_classes as num_classes
from pagjax.checks.images import widened as widened
from pagjax.checks.numbers import LARGEST_SIGMA as LARGEST_SIGMA
from pagjax.checks.numbers import as_key as as_key
from pagjax.checks.numbers import check_count as check_count
from pagjax.checks.numbers import check_length as check_length
from pagjax.checks.numbers import check_non_negative as check_non_negative
from pagjax.checks.numbers import diagonal as diagonal
from pagjax.checks.numbers import draws_needed as draws_needed
from pagjax.checks.numbers import largest_sigma as largest_sigma
from pagjax.checks.targets import as_target as as_target
from pagjax.checks.targets import as_targets as as_targets
