"""Runs several programs at the same time, each on its own, and prints what they say line by line.

Standard library only.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

END_SECONDS = 15.0  # for a program that was asked to end to clear up


@dataclass(frozen=True)
class Outcome:
    """How one of the programs ended."""

    name: str
    status: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.name} {'ok' if self.status == 0 else 'FAILED'} ({self.seconds:.0f} s)"


def run_side_by_side(programs: Mapping[str, Sequence[Sequence[str]]], at_once: int = 0) -> list[Outcome]:
    """Run all programs and return how they ended, in the given order.

    Args:
        programs: for each name the commands, run one after the other until one fails. Every line that they print is
            printed with the name in front.
        at_once: how many run at the same time, started in the given order; 0: as many as there are processors.

    Each is told to use its share of the processors. None outlives this call: not where it is interrupted, nor where this
    process is asked to end.
    """
    at_once = min(len(programs), at_once or os.cpu_count() or 1)
    share = str(max(1, (os.cpu_count() or 1) // at_once))
    variables = {"OMP_NUM_THREADS": share, **os.environ}
    former = signal.signal(signal.SIGTERM, _end)
    crew = _Crew(variables, max(map(len, programs)))
    try:
        with ThreadPoolExecutor(at_once) as pool:
            try:
                outcomes = [pool.submit(crew.run, name, commands) for name, commands in programs.items()]
                return [outcome.result() for outcome in outcomes]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                crew.end()
                raise
    finally:
        signal.signal(signal.SIGTERM, former)


def _end(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


class _Crew:
    """The running programs."""

    def __init__(self, variables: Mapping[str, str], width: int) -> None:
        self._variables = variables
        self._width = width
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._ending = False

    def run(self, name: str, commands: Sequence[Sequence[str]]) -> Outcome:
        began, status = time.monotonic(), 0
        for command in commands:
            status = status or self._run_one(name, command)
        return Outcome(name, status, time.monotonic() - began)

    def _run_one(self, name: str, command: Sequence[str]) -> int:
        with self._lock:
            if self._ending:
                return 128 + signal.SIGTERM
            process = subprocess.Popen(
                command,
                env=self._variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
            )
            self._running.add(process)
        with process:
            for line in process.stdout or ():
                with self._lock:
                    print(f"{name:{self._width}} | {line.rstrip()}", flush=True)
        with self._lock:
            self._running.discard(process)
        return abs(process.returncode)

    def end(self) -> None:
        """Ask all that runs to end, and see to it."""
        with self._lock:
            self._ending, running = True, list(self._running)
        for process in running:
            process.terminate()
        for process in running:
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
