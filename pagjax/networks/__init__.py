"""Base networks: residual networks, their normalisers and their inference form."""

from typing import TYPE_CHECKING

from pagjax.wording.public import lazily as _lazily

if TYPE_CHECKING:
    from pagjax.networks.base import BaseNetwork as BaseNetwork
    from pagjax.networks.config import ResNetConfig as ResNetConfig
    from pagjax.networks.normalizer import NORMALIZERS as NORMALIZERS
    from pagjax.networks.normalizer import Normalizer as Normalizer
    from pagjax.networks.resnet import Outputs as Outputs
    from pagjax.networks.resnet import ResNet as ResNet
    from pagjax.networks.resnet import fuse as fuse

# Descriptions of networks are read where Flax need not be waited for.
if not TYPE_CHECKING:
    __getattr__, __dir__ = _lazily(
        __name__,
        {
            "BaseNetwork": "base",
            "NORMALIZERS": "normalizer",
            "Normalizer": "normalizer",
            "Outputs": "resnet",
            "ResNet": "resnet",
            "ResNetConfig": "config",
            "fuse": "resnet",
        },
    )
__all__ = (
    "NORMALIZERS",
    "BaseNetwork",
    "Normalizer",
    "Outputs",
    "ResNet",
    "ResNetConfig",
    "fuse",
)
