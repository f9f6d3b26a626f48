#!/usr/bin/env python3
"""Detailed Face: sets up what is missing, then opens the window or, with arguments, works without one."""

from __future__ import annotations

import sys

from app import bootstrap


def main() -> int:
    """Run the application and return its exit status."""
    bootstrap.ensure()
    from app import cli  # only now: nothing of it can be imported before the set-up

    return cli.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
