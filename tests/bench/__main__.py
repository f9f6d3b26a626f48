"""Measurements: ``python3 -m tests.bench`` prints the table, ``python3 -m tests.bench NAME`` one part of it.

Times vary between runs and machines; compare ratios and medians, side by side in one run.
"""

from __future__ import annotations

import argparse
import sys

from tests.environment import prepare, prepared_display

PARTS = ("start", "stages", "window", "fit", "rig", "turned", "accuracy")
ON_REQUEST = ("gallery", "faces", "network")
"""Parts that write files or take long: only when named."""
FACESCAPE = "facescape"
"""Takes arguments of its own: the imported pack, beside the original program."""


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m tests.bench", description=__doc__)
    if sys.argv[1:2] == [FACESCAPE]:
        return _facescape(sys.argv[2:])
    known = f"any of: {', '.join(PARTS)} (default: all of these); {', '.join(ON_REQUEST)}"
    known += f"; or '{FACESCAPE} --help': the imported FaceScape pack, beside a copy of the original program"
    parser.add_argument("parts", nargs="*", metavar="NAME", help=known)
    chosen = parser.parse_args()
    if unknown := set(chosen.parts) - {*PARTS, *ON_REQUEST}:
        parser.error(f"there is no measurement called {', '.join(sorted(unknown))}; choose {known}")
    with prepared_display():
        from tests.bench import measures

        for part in chosen.parts or PARTS:
            sys.stdout.write(f"\n## {part}\n\n")
            for line in measures.MEASURES[part]():
                sys.stdout.write(line + "\n")
                sys.stdout.flush()
    return 0


def _facescape(arguments: list[str]) -> int:
    prepare()
    from engine.packs.facescape.data import default_folder
    from tests.bench import facescape

    chosen = facescape.parsed(arguments)
    folder = chosen.folder or default_folder()  # this user's, before the measurements get a home of their own
    with prepared_display():
        return facescape.main(chosen, folder)


if __name__ == "__main__":
    sys.exit(main())
