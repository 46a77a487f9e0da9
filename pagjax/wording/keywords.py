"""Keywords that several functions share: listed once, and spelled out by each of them."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def of_record(record: type, shared: type) -> Callable[[F], F]:
    """Has a function say which keywords its ``**keywords`` stand for.

    Type checkers read them off ``**keywords: Unpack[shared]``. With this ``help``, tab and errors
    know them too, with the defaults of the record that they are of: a keyword that the function
    does not take is refused by its name before the body runs, also where the record has such a
    field.

    Args:
        record: a dataclass with a field of each name.
        shared: the typed dict.

    Returns:
        A decorator.

    Example:
        >>> from typing import TypedDict, Unpack
        >>> @dataclasses.dataclass
        ... class Plan:
        ...     sigma: float
        ...     alpha: float = 0.001
        >>> class Shared(TypedDict, total=False):
        ...     alpha: float
        >>> @of_record(Plan, Shared)
        ... def certify(image, *, sigma, **shared: Unpack[Shared]):
        ...     return Plan(sigma, **shared)
        >>> str(inspect.signature(certify)), certify(0, sigma=0.5).alpha
        ("(image, *, sigma, alpha: 'float' = 0.001)", 0.001)
        >>> certify(0, sigma=0.5, beta=1)
        Traceback (most recent call last):
        ...
        TypeError: certify() got an unexpected keyword argument 'beta'
    """
    fields = {field.name: field for field in dataclasses.fields(record)}
    spelled = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=fields[name].default,
            annotation=fields[name].type,
        )
        for name in shared.__annotations__
    ]

    def decorate(function: F) -> F:
        own = inspect.signature(function)
        *named, _ = own.parameters.values()
        whole = own.replace(parameters=[*named, *spelled])

        @functools.wraps(function)
        def checked(*args: Any, **keywords: Any) -> Any:
            try:
                whole.bind(*args, **keywords)
            except TypeError as error:
                raise TypeError(f"{function.__name__}() {error}") from None
            return function(*args, **keywords)

        checked.__signature__ = whole  # type: ignore[attr-defined]
        return checked  # type: ignore[return-value]

    return decorate
