"""Writes pickles instruction by instruction, also those that no honest pickler writes."""

import pickle
import struct
from typing import Any


class Code(bytes):
    """Instructions that push one value."""


def encode(value: Any) -> Code:
    """Return the instructions that push a plain value, `Code` standing for itself."""
    match value:
        case Code():
            return value
        case None:
            return Code(pickle.NONE)
        case bool():
            return Code(pickle.NEWTRUE if value else pickle.NEWFALSE)
        case int():
            size = value.bit_length() // 8 + 1
            number = value.to_bytes(size, "little", signed=True)
            return Code(pickle.LONG1 + bytes([size]) + number)
        case float():
            return Code(pickle.BINFLOAT + struct.pack(">d", value))
        case str():
            data = value.encode("utf-8", "surrogatepass")
            return Code(pickle.BINUNICODE + struct.pack("<I", len(data)) + data)
        case bytes():
            return Code(pickle.BINBYTES + struct.pack("<I", len(value)) + value)
        case tuple():
            return Code(pickle.MARK + b"".join(map(encode, value)) + pickle.TUPLE)
        case list():
            return Code(pickle.MARK + b"".join(map(encode, value)) + pickle.LIST)
        case dict():
            flat = [part for pair in value.items() for part in pair]
            return Code(pickle.MARK + b"".join(map(encode, flat)) + pickle.DICT)
    raise TypeError(type(value))


def named(module: str, name: str) -> Code:
    return Code(pickle.GLOBAL + f"{module}\n{name}\n".encode())


def call(function: Code, *arguments: Any) -> Code:
    return Code(function + encode(arguments) + pickle.REDUCE)


def new(kind: Code, *arguments: Any) -> Code:
    return Code(kind + encode(arguments) + pickle.NEWOBJ)


def build(target: Code, state: Any) -> Code:
    return Code(target + encode(state) + pickle.BUILD)


def keep(target: Code, slot: int) -> Code:
    return Code(target + pickle.LONG_BINPUT + struct.pack("<I", slot))


def recall(slot: int) -> Code:
    return Code(pickle.LONG_BINGET + struct.pack("<I", slot))


def persistent(identity: Any) -> Code:
    return Code(encode(identity) + pickle.BINPERSID)


def pickled(value: Any) -> bytes:
    return pickle.PROTO + b"\x02" + encode(value) + pickle.STOP


def storage(kind: str, key: str, numel: int, *view: Any) -> Code:
    return persistent(("storage", named("torch", kind), key, "cpu", numel, *view))


def tensor(
    over: Code, size: tuple[int, ...], stride: tuple[int, ...] | None = None, offset: int = 0
) -> Code:
    if stride is None:
        stride = tuple(int(s) for s in _contiguous(size))
    hooks = call(named("collections", "OrderedDict"))
    rebuild = named("torch._utils", "_rebuild_tensor_v2")
    return call(rebuild, over, offset, size, stride, False, hooks)


def _contiguous(size: tuple[int, ...]) -> list[int]:
    steps = [1]
    for length in reversed(size[1:]):
        steps.insert(0, steps[0] * length)
    return steps[: len(size)]
