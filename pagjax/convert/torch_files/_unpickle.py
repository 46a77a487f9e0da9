"""Reads one pickle with the machine."""

import pickle

from pagjax.convert.torch_files._allowance import Allowance
from pagjax.convert.torch_files._allowed import Globals
from pagjax.convert.torch_files._errors import UnreadableError
from pagjax.convert.torch_files._literals import LITERALS
from pagjax.convert.torch_files._machine import Handler, LoadPersistent, Machine, no_persistent_ids
from pagjax.convert.torch_files._objects import OBJECTS
from pagjax.convert.torch_files._source import Source
from pagjax.convert.torch_files._stack import STACK

_INSTRUCTIONS: dict[bytes, Handler] = {**STACK, **LITERALS, **OBJECTS}


def unpickle(
    source: Source,
    allowance: Allowance,
    names: Globals,
    load_persistent: LoadPersistent = no_persistent_ids,
) -> object:
    """Read one pickle and leave the source right behind it.

    Arguments:
    - source: where the pickle starts.
    - allowance: what the file may still ask for.
    - names: the allow-list; it collects the names that were skipped.
    - load_persistent: given a persistent id, returns the tensor or storage that it stands for.

    Returns: the object, made of plain values, arrays and placeholders only.

    Raises `UnreadableError` where the pickle is damaged or asks for too much.

    >>> import io
    >>> pickled = pickle.dumps({"epoch": 3})
    >>> source = Source(io.BytesIO(pickled), 0, len(pickled))
    >>> unpickle(source, Allowance(source.remaining), Globals())
    {'epoch': 3}
    """
    machine = Machine(source, allowance, names, load_persistent)
    while True:
        allowance.spend_steps(1)
        opcode = source.take(1)
        if opcode == pickle.STOP:
            break
        handler = _INSTRUCTIONS.get(opcode)
        if handler is None:
            raise UnreadableError(f"its pickle holds the unknown instruction {opcode!r}")
        handler(machine)
    value = machine.pop()
    if machine.stack or machine.below:
        raise UnreadableError("its pickle ends with values left over")
    return value
