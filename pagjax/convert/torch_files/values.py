"""What a pickle's values become: stand-ins, keys that may be hashed, Python's own containers.

Placeholders are inert: they stand for all that a pickle names and this package does not rebuild.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable

import numpy as np

from pagjax.convert.torch_files.errors import Allowance, UnreadableError, brief, is_one_of


class Placeholder:
    """Stands for a class, a function, or what one of them would have returned.

    It keeps what the file says about the object and does nothing with it. Placeholders compare
    and hash by identity; calling one gives another.

    Attributes:
    - module, name: the global that the file asked for.
    - arguments: None for the global itself, else the tuple that it was called with.
    - state: what the file wanted to set on the object (often a dict of attributes), else None.
    - items: (key, value) pairs that the file wanted to store in it.
    - elements: values that the file wanted to append to it.

    >>> stand_in = Placeholder("os", "system")
    >>> stand_in
    <placeholder for os.system>
    >>> stand_in("echo this is never run").arguments
    ('echo this is never run',)
    """

    __slots__ = ("arguments", "elements", "items", "module", "name", "state")

    def __init__(self, module: str, name: str, arguments: tuple[object, ...] | None = None) -> None:
        """Record the names as they stand in the file."""
        self.module = module
        self.name = name
        self.arguments = arguments
        self.state: object = None
        # Empty tuples until something is stored: a file may ask for a million placeholders.
        self.items: tuple[()] | list[tuple[object, object]] = ()
        self.elements: tuple[()] | list[object] = ()

    def keep_items(self, pairs: Iterable[tuple[object, object]]) -> None:
        """Keep pairs that the file stores in the object."""
        if isinstance(self.items, tuple):
            self.items = []
        self.items.extend(pairs)

    def keep_elements(self, values: Iterable[object]) -> None:
        """Keep values that the file appends or adds to the object."""
        if isinstance(self.elements, tuple):
            self.elements = []
        self.elements.extend(values)

    def __call__(self, *arguments: object, **named: object) -> "Placeholder":
        """Return a placeholder for the result; keyword arguments are dropped."""
        del named
        return Placeholder(self.module, self.name, arguments)

    def __repr__(self) -> str:
        """Show the names only: the contents may be deep or circular."""
        return f"<placeholder for {self.module:.80}.{self.name:.80}>"


# Takes the allowance and the arguments in the file; checks every one of them.
Build = Callable[[Allowance, tuple[object, ...]], object]
# Takes the allowance, the arguments and the state; returns None where it cannot be finished.
Finish = Callable[[Allowance, tuple[object, ...], object], object]


class Known(Placeholder):
    """A global on the allow-list; only the pickle machine uses `build`."""

    __slots__ = ("build",)

    def __init__(self, module: str, name: str, build: Build) -> None:
        """Bind a name in the file to our own function."""
        super().__init__(module, name)
        self.build = build


class StorageType(Placeholder):
    """A storage class, of which only the element type matters (None: not known)."""

    __slots__ = ("dtype",)

    def __init__(self, module: str, name: str, dtype: np.dtype | None) -> None:
        """Bind a storage class to the type of its elements."""
        super().__init__(module, name)
        self.dtype = dtype


class Unfinished(Placeholder):
    """An object whose state follows later in the pickle; the machine then swaps it in.

    `slots` lists the memo entries that hold the object, so that these are swapped as well.
    """

    __slots__ = ("finish", "slots")

    def __init__(
        self, module: str, name: str, arguments: tuple[object, ...], finish: Finish
    ) -> None:
        """Remember how the object is made once its state is there."""
        super().__init__(module, name, arguments)
        self.finish = finish
        self.slots: list[int] = []


# The hashes of text and bytes are salted; small integers cannot be made to collide.
_SMALL_INTEGER = 1 << 20
# Two equal texts are compared to the end each time that one is looked up.
_LONGEST_TEXT = 4096


def _is_scalar(value: object) -> bool:
    if isinstance(value, str | bytes):
        return len(value) <= _LONGEST_TEXT
    return value is None or type(value) in (bool, int, float, complex)


def plain_key(allowance: Allowance, key: object) -> object:
    """Return a key that is cheap to hash, for a dictionary or a set.

    Nested tuples can take exponential time to hash, or more stack than there is, and arrays cannot
    be hashed at all; such keys are wrapped in a placeholder, which is hashed by identity.

    >>> plain_key(Allowance(10), "weight")
    'weight'
    >>> plain_key(Allowance(10), (1, (2, (3,)))).arguments
    ((1, (2, (3,))),)
    """
    if isinstance(key, str | bytes) and len(key) <= _LONGEST_TEXT:
        return key
    if key is None or type(key) is bool or isinstance(key, Placeholder):
        return key
    if type(key) is int and -_SMALL_INTEGER <= key <= _SMALL_INTEGER:
        return key
    allowance.spend_rare_key()
    if _is_scalar(key) or isinstance(key, np.generic):
        return key
    if type(key) is tuple and len(key) <= 16 and all(map(_is_scalar, key)):
        return key
    return Placeholder("builtins", type(key).__name__, (key,))


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
