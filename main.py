#!/usr/bin/env python3
"""Detailed Face: sets up what is missing, then opens the window or, with arguments, works without one."""

from __future__ import annotations

import sys

from app import bootstrap

_ANSWERED_AT_ONCE = {"-h", "--help", "--version"}


def main() -> int:
    """Run the application and return its exit status."""
    arguments = sys.argv[1:]
    if _ANSWERED_AT_ONCE.isdisjoint(arguments):  # those need nothing but Python: no set-up of a minute for a line
        bootstrap.ensure()
    from app import cli  # only now: what it goes on to import cannot be there before the set-up

    return cli.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
