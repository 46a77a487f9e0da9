"""Reads every form in which PyTorch checkpoints were published, without PyTorch.

`read` takes a path and returns a `TorchFile`; what it refuses is a `TorchFileError`; classes and
functions that a file names come out as `Placeholder`s. The package knows bytes, not networks.
"""

from pagjax.convert.torch_files.errors import TorchFileError as TorchFileError
from pagjax.convert.torch_files.reading import TorchFile as TorchFile
from pagjax.convert.torch_files.reading import read as read
from pagjax.convert.torch_files.values import Placeholder as Placeholder
