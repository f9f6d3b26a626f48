"""Shader files: includes, errors that name the place, strict uniforms."""

from __future__ import annotations

from pathlib import Path

import moderngl
import numpy as np
import pytest

from engine.errors import GpuError, ModelFileError
from engine.render import program
from engine.render.context import unbind_framebuffer
from engine.render.program import Program

pytestmark = pytest.mark.gl

VERTEX = "#version 330 core\nvoid main() { gl_Position = vec4(0.0); }\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shader folder with one good vertex shader."""
    (tmp_path / "include").mkdir()
    (tmp_path / "a.vert").write_text(VERTEX)
    monkeypatch.setattr(program, "SHADER_FOLDER", tmp_path)
    return tmp_path


def fragment(folder: Path, body: str, includes: str = "") -> None:
    text = f"#version 330 core\n{includes}out vec4 color;\nvoid main() {{\n{body}\n}}\n"
    (folder / "a.frag").write_text(text)


def test_error_names_the_file_and_line(ctx: moderngl.Context, folder: Path):
    fragment(folder, "    color = wrong;")
    with pytest.raises(GpuError, match=r"a\.frag, line 4"):
        Program(ctx, "a.vert", "a.frag")


def test_error_in_an_include_names_the_include(ctx: moderngl.Context, folder: Path):
    (folder / "include" / "part.glsl").write_text("// one\nfloat two() { return oops; }\n")
    fragment(folder, "    color = vec4(two());", '#include "part.glsl"\n')
    with pytest.raises(GpuError, match=r"include/part\.glsl, line 2"):
        Program(ctx, "a.vert", "a.frag")


def test_line_numbers_go_on_after_an_include(ctx: moderngl.Context, folder: Path):
    (folder / "include" / "part.glsl").write_text("float two() { return 2.0; }\n\n\n\n")
    fragment(folder, "    color = wrong;", '#include "part.glsl"\n')
    with pytest.raises(GpuError, match=r"a\.frag, line 5"):
        Program(ctx, "a.vert", "a.frag")


def test_missing_and_circular_files(ctx: moderngl.Context, folder: Path):
    with pytest.raises(ModelFileError, match=r"absent\.frag is missing"):
        Program(ctx, "a.vert", "absent.frag")
    (folder / "include" / "loop.glsl").write_text('#include "loop.glsl"\n')
    fragment(folder, "    color = vec4(1.0);", '#include "loop.glsl"\n')
    with pytest.raises(ModelFileError, match="includes itself"):
        Program(ctx, "a.vert", "a.frag")


def test_uniforms_are_strict_but_not_about_optimised_ones(ctx: moderngl.Context, folder: Path):
    fragment(folder, "    color = vec4(used);", "uniform float used;\nuniform float unused;\n")
    made = Program(ctx, "a.vert", "a.frag")
    made.set(used=0.5, unused=1.0)
    assert made.glo["used"].value == 0.5
    with pytest.raises(ValueError, match="no uniform 'usd'"):
        made.set(usd=1.0)
    made.release()
    made.release()


def test_matrices_keep_rows_and_columns(ctx: moderngl.Context, folder: Path):
    fragment(folder, "    color = turn * vec4(0.0, 1.0, 0.0, 0.0);", "uniform mat4 turn;\n")
    triangle = "gl_Position = vec4(gl_VertexID == 1 ? 3 : -1, gl_VertexID == 2 ? 3 : -1, 0, 1);"
    (folder / "a.vert").write_text(f"#version 330 core\nvoid main() {{ {triangle} }}\n")
    made = Program(ctx, "a.vert", "a.frag")
    turn = np.zeros((4, 4), np.float32)
    turn[:, 1] = 0.2, 0.4, 0.6, 0.8  # the second column is the image of the second axis
    made.set(turn=turn)
    pixel, array = ctx.renderbuffer((1, 1), 4, dtype="f4"), ctx.vertex_array(made.glo, [])
    target = ctx.framebuffer([pixel])
    target.use()
    array.render(moderngl.TRIANGLES, vertices=3)
    assert np.frombuffer(target.read(components=4, dtype="f4"), np.float32) == pytest.approx([0.2, 0.4, 0.6, 0.8])
    unbind_framebuffer(ctx)
    for thing in (array, target, pixel, made):
        thing.release()


def test_all_shader_files_are_plain_and_small():
    files = [path for path in program.SHADER_FOLDER.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".vert", ".frag", ".glsl"}
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert path.suffix == ".glsl" or text.startswith("#version 330 core\n"), path.name
        assert max(map(len, text.splitlines())) <= 125, path.name
