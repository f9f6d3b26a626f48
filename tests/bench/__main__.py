"""Measurements: ``python3 -m tests.bench`` prints the table, ``python3 -m tests.bench NAME`` one part of it.

Times vary between runs and machines; compare ratios and medians, side by side in one run.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from tests.environment import prepare, prepared_display

PARTS = ("start", "stages", "window", "fit", "rig", "turned", "accuracy")
ON_REQUEST = ("gallery", "faces", "network", "detail")
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
    parser.add_argument(
        "--weights", type=Path, metavar="FILE", help="for 'detail': the network's weights to judge, *.safetensors"
    )
    chosen = parser.parse_args()
    if unknown := set(chosen.parts) - {*PARTS, *ON_REQUEST}:
        parser.error(f"there is no measurement called {', '.join(sorted(unknown))}; choose {known}")
    with prepared_display():
        from tests.bench import measures

        for part in chosen.parts or PARTS:
            sys.stdout.write(f"\n## {part}\n\n")
            measure = partial(measures.detail, chosen.weights) if part == "detail" else measures.MEASURES[part]
            for line in measure():
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
