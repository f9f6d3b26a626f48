"""What happens where OpenGL is missing or old, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import moderngl
import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.gl

CHILD = """
from engine.errors import GpuError
from engine.render.context import {function}
try:
    {function}()
except GpuError as error:
    print(error.sentence())
"""


def outcome(function: str, **environment: str) -> str:
    """Standard output of a child that calls the function and prints the GpuError it gets."""
    child = subprocess.run(
        [sys.executable, "-c", CHILD.format(function=function)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert child.stderr == ""
    return child.stdout


def test_old_opengl_is_said_with_a_way_on(ctx: moderngl.Context):
    if "Mesa" not in ctx.info["GL_VERSION"]:
        pytest.skip("only Mesa can pretend to be old")
    said = outcome("standalone_context", MESA_GL_VERSION_OVERRIDE="2.1")
    assert "OpenGL 3.3" in said
    assert "--input" in said, "the hint must name the path that still works"


def test_enough_opengl_raises_nothing():
    assert outcome("standalone_context") == ""


def test_no_current_context_is_said():
    said = outcome("current_context")
    assert "OpenGL" in said
    assert "--input" in said
