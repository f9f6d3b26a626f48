"""Running an engine generator to its end."""

from __future__ import annotations


def finish(steps):
    """The generator's return value, and the reports on the way."""
    reports = []
    while True:
        try:
            reports.append(next(steps))
        except StopIteration as end:
            return end.value, reports
