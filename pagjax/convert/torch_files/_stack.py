"""Instructions that move values: framing, marks and the memo."""

import pickle
from collections.abc import Callable

from pagjax.convert.torch_files._errors import UnreadableError
from pagjax.convert.torch_files._literals import decoding
from pagjax.convert.torch_files._machine import Instructions, Machine
from pagjax.convert.torch_files._source import Source

STACK = Instructions()


# Framing says nothing about the objects.
@STACK.on(pickle.PROTO)
def _protocol(machine: Machine) -> None:
    version = machine.source.integer("<B")
    if version > pickle.HIGHEST_PROTOCOL:
        raise UnreadableError(f"its pickle has the unknown protocol {version}")


@STACK.on(pickle.FRAME)
def _frame(machine: Machine) -> None:
    machine.source.take(8)


# The stack.
@STACK.on(pickle.MARK)
def _mark(machine: Machine) -> None:
    machine.mark()


@STACK.on(pickle.POP)
def _pop(machine: Machine) -> None:
    if machine.stack:
        machine.stack.pop()
    else:
        machine.pop_mark()


@STACK.on(pickle.POP_MARK)
def _pop_mark(machine: Machine) -> None:
    machine.pop_mark()


@STACK.on(pickle.DUP)
def _duplicate(machine: Machine) -> None:
    machine.stack.append(machine.top())


def _memo_handlers(
    opcode_put: bytes, opcode_get: bytes, read_slot: Callable[[Source], int]
) -> None:
    STACK[opcode_put] = lambda machine: machine.remember(read_slot(machine.source))
    STACK[opcode_get] = lambda machine: machine.recall(read_slot(machine.source))


def _written_slot(source: Source) -> int:
    with decoding():
        return int(source.line())


_memo_handlers(pickle.BINPUT, pickle.BINGET, lambda source: source.take(1)[0])
_memo_handlers(pickle.LONG_BINPUT, pickle.LONG_BINGET, lambda source: source.integer("<I"))
_memo_handlers(pickle.PUT, pickle.GET, _written_slot)


@STACK.on(pickle.MEMOIZE)
def _memoize(machine: Machine) -> None:
    machine.remember(len(machine.memo))
