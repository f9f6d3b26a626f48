"""Work in pieces: what one does with a generator besides stepping it on the engine thread."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any, TypeVar

from engine.types import Progress

_Result = TypeVar("_Result")


def finished(steps: Generator[Any, None, _Result]) -> _Result:
    """The generator's return value, after all of its steps at once."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: _Result = done.value
            return result


def scaled(steps: Generator[Progress, None, _Result], start: float, end: float) -> Generator[Progress, None, _Result]:
    """The same steps with their fractions squeezed into ``start``..``end``."""
    try:
        while True:
            report = next(steps)
            yield replace(report, fraction=start + (end - start) * report.fraction)
    except StopIteration as done:
        result: _Result = done.value
        return result
    finally:
        steps.close()
