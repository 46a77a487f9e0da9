"""Checks that whoever walks through the content of a file comes to an end."""

from typing import Any

from pagjax.convert.torch_files._errors import NOT_A_CHECKPOINT, UnreadableError

_DEEPEST = 200
_MOST_VALUES = 10_000_000

_CONTAINERS = (dict, list, tuple, set, frozenset)


def check_structure(content: object) -> None:
    """Refuse content that is circular, nested too deep, or endless when written out.

    A container that holds another one twice counts it twice, as a walk would: thirty lists, each
    holding the next one twice, are a billion. Placeholders are not entered.

    Raises `UnreadableError`.

    >>> check_structure({"epoch": 3, "sizes": [(1, 2), (3, 4)]})
    >>> laughs = ["ha"]
    >>> for _ in range(30):
    ...     laughs = [laughs, laughs]
    >>> check_structure(laughs)
    Traceback (most recent call last):
    ...
    pagjax.convert.torch_files._errors.UnreadableError: ('its content expands to more than ...
    """
    # For each finished container by identity: values in it, and levels.
    finished: dict[int, tuple[int, int]] = {}
    entered: set[int] = set()
    stack: list[Any] = [content] if isinstance(content, _CONTAINERS) else []
    while stack:
        value = stack[-1]
        if id(value) in finished:
            stack.pop()
            continue
        inner = _containers_in(value)
        pending = [child for child in inner if id(child) not in finished]
        if pending:
            entered.add(id(value))
            if any(id(child) in entered for child in pending):
                raise UnreadableError("its content contains itself", NOT_A_CHECKPOINT)
            stack += pending
            continue
        stack.pop()
        totals = [finished[id(child)] for child in inner]
        values = len(value) + sum(count for count, _ in totals)
        levels = 1 + max((level for _, level in totals), default=0)
        if values > _MOST_VALUES:
            raise UnreadableError(
                f"its content expands to more than {_MOST_VALUES:,} values", NOT_A_CHECKPOINT
            )
        if levels > _DEEPEST:
            raise UnreadableError(
                f"its content is nested more than {_DEEPEST} levels deep", NOT_A_CHECKPOINT
            )
        finished[id(value)] = values, levels


def _containers_in(value: Any) -> list[Any]:
    children = value.values() if isinstance(value, dict) else value
    return [child for child in children if isinstance(child, _CONTAINERS)]
