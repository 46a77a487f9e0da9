"""Instructions that make containers, look names up, call and set states; and the loop over all."""

import pickle

from pagjax.convert.torch_files.allowed import Globals
from pagjax.convert.torch_files.errors import Allowance, UnreadableError, brief
from pagjax.convert.torch_files.instructions import LITERALS, STACK, decoding
from pagjax.convert.torch_files.machine import (
    Handler,
    Instructions,
    LoadPersistent,
    Machine,
    no_persistent_ids,
)
from pagjax.convert.torch_files.sources import Source
from pagjax.convert.torch_files.values import Placeholder, plain_key

_LONGEST_NAME = 1024

OBJECTS = Instructions()


# Containers.
@OBJECTS.on(pickle.EMPTY_LIST)
def _empty_list(machine: Machine) -> None:
    machine.push_container([])


@OBJECTS.on(pickle.EMPTY_DICT)
def _empty_dict(machine: Machine) -> None:
    machine.push_container({})


@OBJECTS.on(pickle.EMPTY_SET)
def _empty_set(machine: Machine) -> None:
    machine.push_container(set())


@OBJECTS.on(pickle.LIST)
def _list(machine: Machine) -> None:
    machine.push_container(machine.pop_mark())


@OBJECTS.on(pickle.DICT)
def _dict(machine: Machine) -> None:
    flat = machine.pop_mark()
    machine.push_container({})
    machine.store(flat)


@OBJECTS.on(pickle.FROZENSET)
def _frozen_set(machine: Machine) -> None:
    values = [plain_key(machine.allowance, value) for value in machine.pop_mark()]
    machine.push_container(frozenset(values))


@OBJECTS.on(pickle.TUPLE)
def _tuple(machine: Machine) -> None:
    values = tuple(machine.pop_mark())
    machine.push_container(values)


@OBJECTS.on(pickle.TUPLE1)
def _tuple1(machine: Machine) -> None:
    machine.push_container((machine.pop(),))


@OBJECTS.on(pickle.TUPLE2)
def _tuple2(machine: Machine) -> None:
    second, first = machine.pop(), machine.pop()
    machine.push_container((first, second))


@OBJECTS.on(pickle.TUPLE3)
def _tuple3(machine: Machine) -> None:
    third, second, first = machine.pop(), machine.pop(), machine.pop()
    machine.push_container((first, second, third))


@OBJECTS.on(pickle.APPEND)
def _append(machine: Machine) -> None:
    value = machine.pop()
    machine.append([value])


@OBJECTS.on(pickle.APPENDS)
def _appends(machine: Machine) -> None:
    values = machine.pop_mark()
    machine.append(values)


@OBJECTS.on(pickle.SETITEM)
def _set_item(machine: Machine) -> None:
    value, key = machine.pop(), machine.pop()
    machine.store([key, value])


@OBJECTS.on(pickle.SETITEMS)
def _set_items(machine: Machine) -> None:
    flat = machine.pop_mark()
    machine.store(flat)


@OBJECTS.on(pickle.ADDITEMS)
def _add_items(machine: Machine) -> None:
    values = machine.pop_mark()
    machine.add(values)


# Names, calls and states.
def _named(machine: Machine, module: object, name: object) -> object:
    if not isinstance(module, str) or not isinstance(name, str):
        raise UnreadableError(f"its pickle names {brief(module)} and {brief(name)} as a global")
    if len(module) + len(name) > _LONGEST_NAME:
        raise UnreadableError(f"its pickle names a global of {len(name)} letters")
    machine.allowance.spend_container()
    return machine.names.find(module, name)


@OBJECTS.on(pickle.GLOBAL)
def _global(machine: Machine) -> None:
    module, name = machine.source.line(), machine.source.line()
    with decoding():
        machine.stack.append(_named(machine, module.decode(), name.decode()))


@OBJECTS.on(pickle.STACK_GLOBAL)
def _stack_global(machine: Machine) -> None:
    name, module = machine.pop(), machine.pop()
    machine.stack.append(_named(machine, module, name))


def _extension_handlers(layouts: dict[bytes, str]) -> None:
    """A number instead of a name: whatever this Python has registered for it is not looked up."""

    def push(layout: str) -> Handler:
        def handler(machine: Machine) -> None:
            code = machine.source.integer(layout)
            machine.stack.append(_named(machine, "copyreg", f"extension_{code}"))

        return handler

    OBJECTS.update({opcode: push(layout) for opcode, layout in layouts.items()})


_extension_handlers({pickle.EXT1: "<B", pickle.EXT2: "<H", pickle.EXT4: "<i"})


@OBJECTS.on(pickle.REDUCE, pickle.NEWOBJ)
def _call(machine: Machine) -> None:
    arguments, function = machine.pop(), machine.pop()
    machine.call(function, arguments)


@OBJECTS.on(pickle.NEWOBJ_EX)
def _call_with_names(machine: Machine) -> None:
    named, arguments, function = machine.pop(), machine.pop(), machine.pop()
    without_names = isinstance(named, dict) and not named
    if isinstance(function, Placeholder) and not without_names:
        # No builder takes arguments by name.
        function = Placeholder(function.module, function.name)
    machine.call(function, arguments)


@OBJECTS.on(pickle.OBJ)
def _object(machine: Machine) -> None:
    values = machine.pop_mark()
    if not values:
        raise UnreadableError("its pickle makes an object of no class")
    machine.call(values[0], tuple(values[1:]))


@OBJECTS.on(pickle.INST)
def _instance(machine: Machine) -> None:
    module, name = machine.source.line(), machine.source.line()
    values = machine.pop_mark()
    with decoding():
        function = _named(machine, module.decode(), name.decode())
    machine.call(function, tuple(values))


@OBJECTS.on(pickle.BUILD)
def _build(machine: Machine) -> None:
    state = machine.pop()
    machine.set_state(state)


@OBJECTS.on(pickle.BINPERSID)
def _persistent(machine: Machine) -> None:
    identity = machine.pop()
    machine.stack.append(machine.load_persistent(identity))


@OBJECTS.on(pickle.PERSID)
def _written_persistent(machine: Machine) -> None:
    with decoding():
        identity = machine.source.line().decode("ascii")
    machine.stack.append(machine.load_persistent(identity))


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
