"""``python3 -m tests``: sets up what is missing, then runs linters, type checker and every test.

With arguments only pytest runs, with these: ``python3 -m tests tests/engine -k fit``.

Without arguments the tests run in parts, side by side: each part in a process of its own, with a display and a home
folder of its own, its tests always in the same order. Tests marked ``alone`` measure times and run after all others.
"""

from __future__ import annotations

import subprocess
import sys
import time

from app.bootstrap import ROOT
from tests.environment import prepare, prepared_display
from tests.side_by_side import Outcome, run_side_by_side

PARTS = {
    "engine": ["tests/engine"],
    "app": ["tests/app"],
    "others": ["tests", "--ignore=tests/engine", "--ignore=tests/app"],
}
"""Of about equal length; the last has all that the others leave."""
LINTERS = {
    "ruff": [["ruff", "check", "."], ["ruff", "format", "--check", "."]],
    "mypy": [["mypy"]],
}


def main(arguments: list[str]) -> int:
    """Run the checks and the tests; return the worst exit status."""
    outcomes = _run_all() if not arguments else [_run_pytest(arguments)]
    print(f"== {', '.join(map(str, outcomes))}", flush=True)
    return max(outcome.status for outcome in outcomes)


def _run_pytest(arguments: list[str]) -> Outcome:
    with prepared_display():
        began = time.monotonic()
        status = subprocess.run(_python("pytest", *arguments), cwd=ROOT, check=False).returncode
        return Outcome("pytest", abs(status), time.monotonic() - began)


def _run_all() -> list[Outcome]:
    prepare()
    tests = {name: [_python("tests", *paths, "-m", "not alone")] for name, paths in PARTS.items()}
    linters = {name: [_python(*command) for command in commands] for name, commands in LINTERS.items()}
    outcomes = run_side_by_side({**tests, **linters})
    return [*outcomes, *run_side_by_side({"alone": [_python("tests", "-m", "alone")]})]


def _python(*module_and_arguments: str) -> list[str]:
    return [sys.executable, "-m", *module_and_arguments]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
