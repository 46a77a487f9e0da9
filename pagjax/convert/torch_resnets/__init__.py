"""PyTorch's residual networks in Flax: which shape a state dict has, and where each tensor goes."""

from pagjax.convert.torch_resnets.architecture import Architecture as Architecture
from pagjax.convert.torch_resnets.architecture import choices as choices
from pagjax.convert.torch_resnets.architecture import choose as choose
from pagjax.convert.torch_resnets.conversion import convert as convert
from pagjax.convert.torch_resnets.identification import identify as identify
from pagjax.convert.torch_resnets.relatives import relative as relative
