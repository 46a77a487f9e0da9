"""Python's own containers and small values that a pickle makes by calling their class."""

from collections import OrderedDict

from pagjax.convert.torch_files._allowance import Allowance
from pagjax.convert.torch_files._checks import is_one_of
from pagjax.convert.torch_files._errors import UnreadableError, brief
from pagjax.convert.torch_files._keys import plain_key
from pagjax.convert.torch_files._placeholders import Placeholder


def build_ordered_dict(allowance: Allowance, arguments: tuple[object, ...]) -> object:
    """Follow `OrderedDict`; Python 2 hands it a list of pairs."""
    made: OrderedDict[object, object] = OrderedDict()
    for pair in _elements(allowance, arguments[:1]):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise UnreadableError(f"its OrderedDict holds {brief(pair)} instead of a pair")
        made[plain_key(allowance, pair[0])] = pair[1]
    return made


def build_counting_dict(allowance: Allowance, arguments: tuple[object, ...]) -> object:
    """Follow `Counter`, which learning-rate schedules use: a plain dict of the counts."""
    counts = arguments[0] if arguments else {}
    if not isinstance(counts, dict):
        return Placeholder("collections", "Counter", arguments)
    allowance.spend_steps(len(counts))
    return dict(counts)


def build_default_dict(allowance: Allowance, arguments: tuple[object, ...]) -> object:
    """Follow `defaultdict`: a plain dict, the default is dropped."""
    del allowance, arguments
    return {}


def build_set(allowance: Allowance, arguments: tuple[object, ...]) -> object:
    """Follow `set` and `frozenset`."""
    elements = _elements(allowance, arguments[:1])
    return {plain_key(allowance, element) for element in elements}


def build_bytes(allowance: Allowance, arguments: tuple[object, ...]) -> object:
    """Follow `_codecs.encode`, `bytes` and `bytearray`, all of which come out as bytes."""
    text, *encoding = arguments or (b"",)
    if isinstance(text, bytes) and not encoding:
        return text
    if isinstance(text, str) and encoding and is_one_of(encoding[0], "latin1", "latin-1"):
        allowance.spend_bytes(len(text))
        try:
            return text.encode("latin-1")
        except UnicodeEncodeError:
            raise UnreadableError("its bytes are written as text of another alphabet") from None
    # An integer here would be a size.
    return Placeholder("builtins", "bytes", arguments)


def build_complex(allowance: Allowance, arguments: tuple[object, ...]) -> object:
    """Follow `complex`."""
    del allowance
    match arguments:
        case (float() as real, float() as imaginary):
            return complex(real, imaginary)
    return Placeholder("builtins", "complex", arguments)


def build_size(allowance: Allowance, arguments: tuple[object, ...]) -> object:
    """Follow `torch.Size`: a tuple."""
    sizes = arguments[0] if arguments else ()
    if isinstance(sizes, list):
        allowance.spend_steps(len(sizes))
        return tuple(sizes)
    return sizes if isinstance(sizes, tuple) else Placeholder("torch", "Size", arguments)


def build_device(allowance: Allowance, arguments: tuple[object, ...]) -> object:
    """Follow `torch.device`: its name, as in `cuda:0`."""
    del allowance
    match arguments:
        case (str() as name,):
            return name
        case (str() as name, int() as index):
            return f"{name[:80]}:{index if 0 <= index < 1 << 31 else '?'}"
    return Placeholder("torch", "device", arguments)


def _elements(
    allowance: Allowance, arguments: tuple[object, ...]
) -> list[object] | tuple[object, ...]:
    """Return what a container is made from; copying it costs as many steps."""
    elements = arguments[0] if arguments else ()
    if not isinstance(elements, list | tuple):
        raise UnreadableError(f"its container is made from {brief(elements)}")
    allowance.spend_steps(len(elements))
    return elements
