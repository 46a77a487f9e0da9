"""Inert stand-ins for everything that a pickle names and this package does not rebuild."""

from collections.abc import Callable, Iterable

import numpy as np

from pagjax.convert.torch_files._allowance import Allowance


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
