"""Measurements: ``python3 -m tests.bench`` prints the table, ``python3 -m tests.bench NAME`` one part of it.

Times vary between runs and machines; compare ratios and medians, side by side in one run.
"""

from __future__ import annotations

import argparse
import sys

from tests.environment import prepared_display

PARTS = ("start", "stages", "window", "fit", "rig", "turned", "detail")


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m tests.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="NAME", help=f"any of: {', '.join(PARTS)} (default: all)")
    chosen = parser.parse_args()
    if unknown := set(chosen.parts) - set(PARTS):
        parser.error(f"there is no measurement called {', '.join(sorted(unknown))}; choose from {', '.join(PARTS)}")
    with prepared_display():
        from tests.bench import measures

        for part in chosen.parts or PARTS:
            sys.stdout.write(f"\n## {part}\n\n")
            for line in measures.MEASURES[part]():
                sys.stdout.write(line + "\n")
                sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
