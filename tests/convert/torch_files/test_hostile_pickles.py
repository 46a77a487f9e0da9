"""Pickles made to run code have no effect, and what they name comes out inert."""

import copyreg
import io
import os
import pickle
import sys
import types

import numpy as np
import pytest
import torch

from pagjax.convert.torch_files import Placeholder, read
from tests.convert.torch_files.assembler import (
    Code,
    build,
    call,
    encode,
    keep,
    named,
    new,
    pickled,
    recall,
)
from tests.convert.torch_files.containers import CONTAINERS, written, zip_bytes

# What Python reports when code is compiled, imported, made, run, or looked up by a pickle.
FORBIDDEN = frozenset(
    {
        "compile",
        "exec",
        "import",
        "code.__new__",
        "function.__new__",
        "marshal.loads",
        "pickle.find_class",
        "os.system",
        "os.exec",
        "os.posix_spawn",
        "os.fork",
        "subprocess.Popen",
        "ctypes.dlopen",
        "socket.connect",
    }
)
# A hook cannot be taken out again, so it listens only while a file is read.
listening: list[str] = []
heard: list[str] = []


def listen(event, arguments):
    if not listening:
        return
    writing = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if writing or event in FORBIDDEN:
        heard.append(f"{event} {arguments!r}")


sys.addaudithook(listen)


@pytest.fixture(scope="module", autouse=True)
def imports_of_our_own(tmp_path_factory):
    """The first archive makes `zipfile` import a table of letters."""
    read(written(tmp_path_factory.mktemp("first"), zip_bytes(None)))


def read_listening(path):
    heard.clear()
    listening.append("now")
    try:
        return read(path)
    finally:
        listening.clear()
        assert heard == []


def test_the_listener_hears(tmp_path):
    listening.append("now")
    os.system("true")
    exec("1")
    listening.clear()
    assert any(event.startswith("os.system") for event in heard)
    assert any(event.startswith("exec") for event in heard)


SYSTEM = named("os", "system")
EVAL = named("builtins", "eval")
IMPORT = named("builtins", "__import__")
GETATTR = named("builtins", "getattr")
CODE_OBJECT = call(
    named("dill._dill", "_create_code"), 0, 0, 0, 0, 2, 67, b"d\0S\0", (None,), (), (), "f", "g", 1
)
FUNCTION = call(
    named("dill._dill", "_create_function"), CODE_OBJECT, {"__builtins__": IMPORT}, "f", None, None
)
ATTACKS = {
    "system": call(SYSTEM, "touch pwned"),
    "posix": call(named("posix", "system"), "touch pwned"),
    "eval": call(EVAL, "open('pwned', 'w')"),
    "exec of python 2": call(named("__builtin__", "exec"), "open('pwned', 'w')"),
    "subprocess": call(named("subprocess", "Popen"), ["touch", "pwned"]),
    "import": call(IMPORT, "antigravity"),
    "getattr chain": call(call(GETATTR, call(IMPORT, "os"), "system"), "touch pwned"),
    "dotted name": call(named("torch", "serialization.os.system"), "touch pwned"),
    "attribute of an allowed class": call(named("collections", "OrderedDict.fromkeys"), [1]),
    "private of an allowed module": call(named("collections", "_sys.exit"), 1),
    "new object": new(SYSTEM, "touch pwned"),
    "new object by name": Code(SYSTEM + encode(()) + encode({"command": "x"}) + pickle.NEWOBJ_EX),
    "allowed class with names": Code(
        named("collections", "OrderedDict") + encode(()) + encode({"x": 1}) + pickle.NEWOBJ_EX
    ),
    "object": Code(pickle.MARK + SYSTEM + encode("touch pwned") + pickle.OBJ),
    "instance": Code(pickle.MARK + encode("touch pwned") + pickle.INST + b"os\nsystem\n"),
    "stack global": Code(
        encode("os") + encode("system") + pickle.STACK_GLOBAL + encode(("x",)) + pickle.REDUCE
    ),
    "code object": CODE_OBJECT,
    "function": call(FUNCTION),
    "marshal": call(named("marshal", "loads"), b"\xe3\0"),
    "types": call(named("types", "FunctionType"), CODE_OBJECT, {}),
    "nested pickle": call(named("pickle", "loads"), pickled(call(SYSTEM, "touch pwned"))),
    "torch itself": call(named("torch", "load"), "other.pt"),
    "torch storage": call(named("torch.storage", "_load_from_bytes"), b"PK\3\4"),
    "partial": call(call(named("functools", "partial"), SYSTEM, "touch pwned")),
    "map": call(named("builtins", "list"), call(named("builtins", "map"), SYSTEM, ["x"])),
    "state of a placeholder": build(
        call(named("__main__", "Model")), {"__class__": SYSTEM, "__setstate__": SYSTEM}
    ),
    "state of an allowed function": build(
        named("torch._utils", "_rebuild_tensor_v2"), {"build": SYSTEM, "__code__": CODE_OBJECT}
    ),
    "state with slots": build(call(named("a", "B")), (None, {"name": "other", "build": SYSTEM})),
    "state of a dictionary": build(
        call(named("collections", "OrderedDict")), {"__class__": SYSTEM, "keys": SYSTEM}
    ),
    "state of a list": build(encode([1]), {"__class__": SYSTEM}),
    "state of text": build(encode("text"), {"__class__": SYSTEM}),
    "default factory": Code(
        call(named("collections", "defaultdict"), SYSTEM) + encode("k") + encode(1) + b"s"
    ),
    "subclass of a tensor": call(
        named("torch._tensor", "_rebuild_from_type_v2"), SYSTEM, EVAL, ("touch pwned",), {}
    ),
    "element type as a function": call(named("numpy", "dtype"), SYSTEM, False, True),
    "array of objects": call(
        named("numpy.core.multiarray", "scalar"), call(named("numpy", "dtype"), "O8", 0, 1), SYSTEM
    ),
    "key with a hash": Code(b"}" + call(named("evil", "Hash")) + encode(1) + b"s"),
    "wandering names": [named("", ""), named("\u202e", "x" * 999), named("a.b.c", "d.e\tf")],
    "property": call(named("builtins", "property"), EVAL),
    "module of this package": call(named("pagjax.convert.torch_files.allowed", "Globals")),
}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("attack", ATTACKS)
def test_attack_has_no_effect_and_loading_goes_on(tmp_path, monkeypatch, container, attack):
    monkeypatch.chdir(tmp_path)
    modules = set(sys.modules)
    path = written(tmp_path, container({"attack": ATTACKS[attack], "after": [1, 2.5, "weight"]}))
    content = read_listening(path).content
    assert content["after"] == [1, 2.5, "weight"]
    assert_inert(content["attack"])
    assert set(sys.modules) == modules
    assert [entry.name for entry in tmp_path.iterdir()] == ["weights.pt"]


def assert_inert(value):
    """Whatever the attack became, it is a plain value or a placeholder, all the way down."""
    if isinstance(value, Placeholder):
        for part in (value.arguments, value.state, list(value.items), list(value.elements)):
            assert_inert(part)
        assert isinstance(value("anything"), Placeholder)
    elif isinstance(value, dict):
        assert type(value).__name__ in ("dict", "OrderedDict")
        assert not vars(value) if hasattr(value, "__dict__") else True
        assert_inert(list(value.items()))
    elif isinstance(value, list | tuple | set | frozenset):
        for part in value:
            assert_inert(part)
    else:
        assert value is None or type(value) in (bool, int, float, str, bytes, np.ndarray, np.dtype)


def test_unknown_names_are_listed(tmp_path):
    names = [named("os", "system"), named("builtins", "eval"), named("os", "system")]
    file = read(written(tmp_path, zip_bytes([*names, named("collections", "OrderedDict")])))
    assert file.skipped == ("builtins.eval", "os.system")
    assert repr(file.content[0]) == "<placeholder for os.system>"


@pytest.mark.parametrize("opcode", [b"\x82\x07", b"\x83\x07\0", b"\x84\x07\0\0\0"])
def test_extension_codes_are_not_looked_up(tmp_path, opcode):
    copyreg.add_extension("os", "system", 7)
    try:
        file = read(written(tmp_path, zip_bytes(call(Code(opcode), "touch pwned"))))
    finally:
        copyreg.remove_extension("os", "system", 7)
    assert isinstance(file.content, Placeholder)
    assert file.skipped == ("copyreg.extension_7",)


def test_placeholders_take_everything_that_a_pickle_does(tmp_path):
    made = keep(call(named("a", "Listlike"), 1), 0)
    made = Code(made + encode(1) + b"a" + b"(" + encode(2) + encode(3) + b"e")
    made = Code(made + encode("k") + encode(4) + b"s" + b"(" + encode("l") + encode(5) + b"u")
    made = Code(made + b"(" + encode(6) + b"\x90")
    content = read(written(tmp_path, zip_bytes([build(made, {"x": 7}), recall(0)]))).content
    first, second = content
    assert first is second
    assert (first.module, first.name, first.arguments) == ("a", "Listlike", (1,))
    assert (first.elements, first.items) == ([1, 2, 3, 6], [("k", 4), ("l", 5)])
    assert first.state == {"x": 7}
    assert {first: "as a key"}[second] == "as a key"
    assert not hasattr(first, "__dict__")
    assert first != Placeholder("a", "Listlike", (1,))


def test_known_names_are_not_shared_between_files(tmp_path):
    marked = build(named("collections", "OrderedDict"), {"mark": 1})
    first = read(written(tmp_path, zip_bytes(marked))).content
    second = read(written(tmp_path, zip_bytes(named("collections", "OrderedDict")))).content
    assert first.state == {"mark": 1}
    assert second.state is None


def test_tensors_as_keys_are_wrapped(tmp_path):
    values = torch.ones(2)
    state = {values: {"momentum": torch.zeros(2)}}
    path = tmp_path / "optimizer.pt"
    torch.save(state, path)
    ((key, value),) = read(path).content.items()
    assert isinstance(key, Placeholder)
    np.testing.assert_array_equal(key.arguments[0], [1, 1])
    np.testing.assert_array_equal(value["momentum"], [0, 0])


def test_python_s_own_unpickler_would_have_run_the_attack():
    """The attacks are real: what stands in for os.system here is reached by pickle."""
    reached = []
    module = types.ModuleType("attacked")
    module.call = reached.append
    sys.modules["attacked"] = module
    try:
        unpickler = pickle._Unpickler(io.BytesIO(pickled(call(named("attacked", "call"), "x"))))
        unpickler.load()
    finally:
        del sys.modules["attacked"]
    assert reached == ["x"]
