"""A pickle machine that cannot run code.

Python's own unpicklers import and call what a pickle names, ask its objects to update
themselves, and trust its sizes. This one knows the same instructions but acts only on plain
values, on the builders of the allow-list, and on placeholders. It works on an explicit stack,
so nesting costs no recursion, and every step is counted.
"""

from collections.abc import Callable
from typing import Any

from pagjax.convert.torch_files.allowed import Globals
from pagjax.convert.torch_files.errors import STEPS, Allowance, UnreadableError, brief
from pagjax.convert.torch_files.sources import Source
from pagjax.convert.torch_files.values import Known, Placeholder, Unfinished, plain_key

LoadPersistent = Callable[[object], object]


def no_persistent_ids(identity: object) -> object:
    """Refuse an identity: for pickles that hold no tensors."""
    raise UnreadableError(f"its pickle refers to {brief(identity)} where there are no tensors")


class Machine:
    """State of one pickle while it is read, and what instructions may do to it."""

    def __init__(
        self,
        source: Source,
        allowance: Allowance,
        names: Globals,
        load_persistent: LoadPersistent,
    ) -> None:
        """Stand in front of a pickle."""
        self.source = source
        self.allowance = allowance
        self.names = names
        self.load_persistent = load_persistent
        self.stack: list[Any] = []
        # The stacks below each open mark.
        self.below: list[list[Any]] = []
        # A dictionary, so that a large number costs no more than a small one.
        self.memo: dict[int, Any] = {}

    def pop(self) -> Any:
        """Take the top value; those below an open mark are out of reach."""
        if not self.stack:
            raise UnreadableError("its pickle takes a value from an empty stack")
        return self.stack.pop()

    def top(self) -> Any:
        """Return the top value and leave it there."""
        if not self.stack:
            raise UnreadableError("its pickle uses a value of an empty stack")
        return self.stack[-1]

    def mark(self) -> None:
        """Open a mark."""
        self.allowance.spend_container()
        self.below.append(self.stack)
        self.stack = []

    def pop_mark(self) -> list[Any]:
        """Close the last mark and return the values above it."""
        if not self.below:
            raise UnreadableError("its pickle closes a mark that was never opened")
        values, self.stack = self.stack, self.below.pop()
        return values

    def push_container(self, container: object) -> None:
        """Push something that takes memory of its own."""
        self.allowance.spend_container()
        self.stack.append(container)

    def remember(self, slot: int) -> None:
        """Keep the top value under a number."""
        if not 0 <= slot <= STEPS:
            # Writers count from zero.
            raise UnreadableError(f"its pickle keeps a value under {brief(slot)}")
        value = self.top()
        if isinstance(value, Unfinished):
            value.slots.append(slot)
        self.memo[slot] = value

    def recall(self, slot: int) -> None:
        """Push the value that was kept under a number."""
        if slot not in self.memo:
            raise UnreadableError(f"its pickle recalls value {brief(slot)}, which it never kept")
        self.stack.append(self.memo[slot])

    def call(self, function: object, arguments: object) -> None:
        """Push what a call stands for: a rebuilt value, or a placeholder."""
        if not isinstance(arguments, tuple):
            raise UnreadableError(f"its pickle calls a function with {brief(arguments)}")
        if isinstance(function, Known):
            built = function.build(self.allowance, arguments)
            if type(built) is Placeholder:
                self.names.skip(built)
            self.push_container(built)
        elif isinstance(function, Placeholder):
            self.push_container(Placeholder(function.module, function.name, arguments))
        else:
            raise UnreadableError(f"its pickle calls {brief(function)} as if it were a function")

    def set_state(self, state: object) -> None:
        """Finish an object of the allow-list; keep a placeholder's state; drop all others'.

        An OrderedDict's `_metadata` and a Parameter's hooks are dropped here.
        """
        target = self.top()
        if isinstance(target, Unfinished):
            finished = target.finish(self.allowance, target.arguments or (), state)
            if finished is not None:
                self.stack[-1] = finished
                for slot in target.slots:
                    if self.memo.get(slot) is target:
                        self.memo[slot] = finished
                return
            self.names.skip(target)
        if isinstance(target, Placeholder):
            target.state = state

    def append(self, values: list[Any]) -> None:
        """Add values to the list on top of the stack."""
        target = self.top()
        if isinstance(target, list):
            target.extend(values)
        elif isinstance(target, Placeholder):
            target.keep_elements(values)
        else:
            raise UnreadableError(f"its pickle appends to {brief(target)}")

    def store(self, flat: list[Any]) -> None:
        """Store alternating keys and values in the dictionary on top of the stack."""
        target = self.top()
        if len(flat) % 2:
            raise UnreadableError("its pickle stores a key without a value")
        pairs = zip(flat[::2], flat[1::2], strict=True)
        if isinstance(target, dict):
            for key, value in pairs:
                target[plain_key(self.allowance, key)] = value
        elif isinstance(target, Placeholder):
            target.keep_items(pairs)
        else:
            raise UnreadableError(f"its pickle stores an item in {brief(target)}")

    def add(self, values: list[Any]) -> None:
        """Add values to the set on top of the stack."""
        target = self.top()
        if isinstance(target, set):
            target.update(plain_key(self.allowance, value) for value in values)
        elif isinstance(target, Placeholder):
            target.keep_elements(values)
        else:
            raise UnreadableError(f"its pickle adds to {brief(target)}")


Handler = Callable[[Machine], None]


class Instructions(dict[bytes, Handler]):
    """What the machine does at each instruction."""

    def on(self, *opcodes: bytes) -> Callable[[Handler], Handler]:
        """Register a function as what is done at these instructions."""

        def register(handler: Handler) -> Handler:
            self.update(dict.fromkeys(opcodes, handler))
            return handler

        return register
