"""Types of commands' arguments, all in one place: for argparse, in the words of `numbers`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeVar

from pagjax.wording import numbers

Value = TypeVar("Value")


def told(read: Callable[[str], Value]) -> Callable[[str], Value]:
    """A reader whose refusals argparse shows in its own words.

    Example:
        >>> told(int)("x")
        Traceback (most recent call last):
        argparse.ArgumentTypeError: invalid literal for int() with base 10: 'x'
    """

    def asked(text: str) -> Value:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return asked


sigma = told(lambda text: numbers.length(text, most=numbers.MOST_SIGMA))
noise = told(lambda text: numbers.length(text, most=numbers.MOST_SIGMA, above=True))
length = told(numbers.length)  # whether it fits into the box is known with the pictures' size
count = told(lambda text: numbers.whole(text, least=1, most=numbers.MOST_COUNT))
whole = told(lambda text: numbers.whole(text, most=numbers.MOST_COUNT))
seed = told(numbers.seed)
real = told(numbers.real)
probability = told(numbers.share)
fraction = told(lambda text: numbers.share(text, zero=True))
part = told(lambda text: numbers.share(text, one=True))
