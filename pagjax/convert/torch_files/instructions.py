"""Instructions that push constants, numbers, text and bytes, or move values: marks and the memo."""

import pickle
import re
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pagjax.convert.torch_files.errors import NOT_A_CHECKPOINT, UnreadableError
from pagjax.convert.torch_files.machine import Handler, Instructions, Machine
from pagjax.convert.torch_files.sources import Source

# Bytes of an integer; random states and keys need less.
_LONGEST_INTEGER = 4096

LITERALS = Instructions()


@contextmanager
def decoding() -> Iterator[None]:
    """Turn a failure to decode text or a number into our own error."""
    try:
        yield
    except (ValueError, OverflowError):
        raise UnreadableError("its pickle holds text or a number that cannot be decoded") from None


# Constants and numbers.
def _constant_handlers(constants: dict[bytes, object]) -> None:
    def push(value: object) -> Handler:
        return lambda machine: machine.stack.append(value)

    LITERALS.update({opcode: push(value) for opcode, value in constants.items()})


_constant_handlers(
    {pickle.NONE: None, pickle.NEWTRUE: True, pickle.NEWFALSE: False, pickle.EMPTY_TUPLE: ()}
)


def _integer_handlers(layouts: dict[bytes, str]) -> None:
    def push(layout: str) -> Handler:
        return lambda machine: machine.stack.append(machine.source.integer(layout))

    LITERALS.update({opcode: push(layout) for opcode, layout in layouts.items()})


_integer_handlers({pickle.BININT: "<i", pickle.BININT1: "<B", pickle.BININT2: "<H"})


@LITERALS.on(pickle.INT, pickle.LONG)
def _written_integer(machine: Machine) -> None:
    line = machine.source.line().removesuffix(b"L")
    with decoding():
        value = {b"00": False, b"01": True}.get(line)
        machine.stack.append(int(line) if value is None else value)


@LITERALS.on(pickle.LONG1)
def _short_long(machine: Machine) -> None:
    _push_long(machine, machine.source.integer("<B"))


@LITERALS.on(pickle.LONG4)
def _long_long(machine: Machine) -> None:
    _push_long(machine, machine.source.integer("<i"))


def _push_long(machine: Machine, size: int) -> None:
    if not 0 <= size <= _LONGEST_INTEGER:
        raise UnreadableError(f"its pickle holds an integer of {size} bytes", NOT_A_CHECKPOINT)
    machine.stack.append(int.from_bytes(machine.source.take(size), "little", signed=True))


@LITERALS.on(pickle.BINFLOAT)
def _float(machine: Machine) -> None:
    machine.stack.append(struct.unpack(">d", machine.source.take(8))[0])


@LITERALS.on(pickle.FLOAT)
def _written_float(machine: Machine) -> None:
    with decoding():
        machine.stack.append(float(machine.source.line()))


# Text and bytes. Each size is compared with the rest of the file before it is read.
def _sized_handlers(layouts: dict[bytes, str], decode: Callable[[bytes], object]) -> None:
    def push(layout: str) -> Handler:
        def handler(machine: Machine) -> None:
            size = machine.source.integer(layout)
            if size < 0:
                raise UnreadableError(f"its pickle holds a text of {size} bytes")
            with decoding():
                machine.stack.append(decode(machine.source.take(size)))

        return handler

    LITERALS.update({opcode: push(layout) for opcode, layout in layouts.items()})


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def _text_of_python_2(data: bytes) -> str | bytes:
    """Python 2 wrote text and raw data alike; what is not text stays bytes."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data


_sized_handlers(
    {pickle.SHORT_BINUNICODE: "<B", pickle.BINUNICODE: "<I", pickle.BINUNICODE8: "<Q"}, _text
)
_sized_handlers({pickle.SHORT_BINSTRING: "<B", pickle.BINSTRING: "<i"}, _text_of_python_2)
_sized_handlers(
    {
        pickle.SHORT_BINBYTES: "<B",
        pickle.BINBYTES: "<I",
        pickle.BINBYTES8: "<Q",
        pickle.BYTEARRAY8: "<Q",
    },
    bytes,
)


@LITERALS.on(pickle.UNICODE)
def _written_unicode(machine: Machine) -> None:
    with decoding():
        machine.stack.append(machine.source.line().decode("raw-unicode-escape"))


_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(.))")
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}


@LITERALS.on(pickle.STRING)
def _written_string(machine: Machine) -> None:
    line = machine.source.line()
    if len(line) < 2 or line[:1] not in (b"'", b'"') or line[-1:] != line[:1]:
        raise UnreadableError("its pickle holds a text without quotation marks")

    def plain(match: re.Match[bytes]) -> bytes:
        return bytes.fromhex(match[1].decode()) if match[1] else _ESCAPES.get(match[2], match[2])

    machine.stack.append(_text_of_python_2(_ESCAPE.sub(plain, line[1:-1])))


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
