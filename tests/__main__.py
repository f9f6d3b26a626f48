"""``python3 -m tests``: sets up what is missing, then runs linters, type checker and every test.

With arguments only pytest runs, with these: ``python3 -m tests tests/engine -k fit``.
"""

from __future__ import annotations

import subprocess
import sys
import time

from app.bootstrap import ROOT
from tests.environment import prepared_display

LINTERS = {
    "ruff check": ["ruff", "check", "."],
    "ruff format": ["ruff", "format", "--check", "."],
    "mypy": ["mypy"],
}


def main(arguments: list[str]) -> int:
    """Run the checks and the tests; return the worst exit status."""
    checks = {} if arguments else dict(LINTERS)
    checks["pytest"] = ["pytest", *arguments]
    outcomes = []
    worst = 0
    with prepared_display():
        for name, command in checks.items():
            print(f"== {name}", flush=True)
            began = time.monotonic()
            status = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, check=False).returncode
            outcomes.append(f"{name} {'ok' if status == 0 else 'FAILED'} ({time.monotonic() - began:.0f} s)")
            worst = max(worst, abs(status))
    print(f"== {', '.join(outcomes)}", flush=True)
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
