"""Shader programs from files, with includes, errors that name file and line, and strict uniforms."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import moderngl
import numpy as np
import numpy.typing as npt

from engine.errors import GpuError, ModelFileError

SHADER_FOLDER = Path(__file__).resolve().parents[2] / "shaders"
_INCLUDE = re.compile(r'^\s*#include\s+"([^"]+)"\s*$')
_UNIFORM = re.compile(r"^\s*uniform\s+\w+\s+(\w+)\s*(?:\[\s*\w+\s*\])?\s*;", re.MULTILINE)
_MESSAGE_PLACE = re.compile(r"\b0[:(](\d+)\)?")  # Mesa '0:12(5)', NVIDIA '0(12)', others '0:12'
_LINES_PER_FILE = 10_000  # line numbers tell the file too: drivers do not agree on '#line number file'

Uniform = float | int | bool | Sequence[float] | npt.NDArray[np.float32] | npt.NDArray[np.int32]


class Program:
    """One linked program. The owner calls ``release``."""

    def __init__(
        self, ctx: moderngl.Context, vertex: str, fragment: str, defines: Mapping[str, int] | None = None
    ) -> None:
        """Compile and link.

        Args:
            ctx: a current context.
            vertex: file name in the shader folder.
            fragment: file name in the shader folder.
            defines: names that both shaders see as integer constants.

        Raises:
            ModelFileError: a shader file is missing or its includes are wrong.
            GpuError: the driver refuses the source; the message names file and line.
        """
        sources = [_Source(vertex, defines or {}), _Source(fragment, defines or {})]
        try:
            self.glo = ctx.program(vertex_shader=sources[0].text, fragment_shader=sources[1].text)
        except moderngl.Error as error:
            source = sources[0] if "vertex_shader" in str(error) else sources[1]
            raise GpuError(
                f"The graphics driver refused the shader {source.place_of(str(error))}.",
                "Update the graphics driver; the command line still works without a window.",
            ) from error
        self._declared = {name for source in sources for name in _UNIFORM.findall(source.text)}
        self._name = f"{vertex} + {fragment}"

    def set(self, **uniforms: Uniform) -> None:
        """Set uniforms by name. A square float array is a matrix with the usual row-times-column meaning.

        Other arrays (n, 2..4) are arrays of vectors, and arrays (n,) of numbers.

        Raises:
            ValueError: the shader sources declare no such uniform.
        """
        for name, value in uniforms.items():
            if name not in self._declared:
                raise ValueError(f"{self._name}: no uniform {name!r}, only {', '.join(sorted(self._declared))}")
            member = self.glo.get(name, None)
            if not isinstance(member, moderngl.Uniform):
                continue  # declared, but this driver optimised it away
            if isinstance(value, np.ndarray):
                is_matrix = value.dtype == np.float32 and value.shape[0] == value.shape[-1]
                member.write(np.ascontiguousarray(value.T if is_matrix else value))  # OpenGL stores matrices by columns
            else:
                member.value = value

    def has_attribute(self, name: str) -> bool:
        """Whether the linked vertex shader reads this attribute."""
        return isinstance(self.glo.get(name, None), moderngl.Attribute)

    def release(self) -> None:
        """Free the GL program; safe to call twice."""
        self.glo.release()


class _Source:
    """Shader text with its includes put in; remembers which file each line came from."""

    def __init__(self, name: str, defines: Mapping[str, int]) -> None:
        self.files: list[str] = []
        lines = self._expanded(name, ())
        version = lines.pop(1) if len(lines) > 1 else ""
        if not version.startswith("#version"):
            raise ModelFileError(f"The shader {name} has no #version in its first line.", "Reinstall the program.")
        constants = [f"#define {key} {value}" for key, value in defines.items()]
        self.text = "\n".join([version, *constants, "#line 2", *lines[1:]])

    def _expanded(self, name: str, parents: tuple[str, ...]) -> list[str]:
        if name in parents:
            raise ModelFileError(f"The shader {name} includes itself.", "Reinstall the program.")
        try:
            text = (SHADER_FOLDER / name).read_text(encoding="utf-8")
        except OSError as error:
            raise ModelFileError(f"The shader file {name} is missing.", "Reinstall the program.") from error
        number = len(self.files)
        self.files.append(name)
        base = number * _LINES_PER_FILE
        lines = [f"#line {base + 1}"]
        for row, line in enumerate(text.splitlines(), start=1):
            include = _INCLUDE.match(line)
            if include:
                lines += self._expanded(f"include/{include[1]}", (*parents, name))
                lines.append(f"#line {base + row + 1}")
            else:
                lines.append(line)
        return lines

    def place_of(self, driver_message: str) -> str:
        """'file, line n' of the first complaint, as far as the driver says it."""
        place = _MESSAGE_PLACE.search(driver_message)
        number, line = divmod(int(place[1]) if place else 0, _LINES_PER_FILE)
        return f"{self.files[number]}, line {line}" if line and number < len(self.files) else self.files[0]
