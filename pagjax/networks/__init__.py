"""Base networks: residual networks, their normalisers and their inference form."""

from pagjax.networks.normalizer import NORMALIZERS as NORMALIZERS
from pagjax.networks.normalizer import Normalizer as Normalizer
from pagjax.networks.resnet import Outputs as Outputs
from pagjax.networks.resnet import ResNet as ResNet
from pagjax.networks.resnet import ResNetConfig as ResNetConfig
from pagjax.networks.resnet import fuse as fuse
