"""Pickles from strangers: plain values, arrays and one mixture are read, anything else is refused before it runs."""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import re
import struct
import tokenize
import zipfile
import zlib
from typing import Any

import numpy as np

from engine.errors import ModelFileError

MEBIBYTE = 1 << 20
PICKLE_LIMIT = 64 * MEBIBYTE
"""Largest pickle that is looked at; the largest of the original is 3.6 MB."""
_DIMENSIONS = 8
LFS_POINTER = b"version https://git-lfs"

# What the files of this model are made of. Everything else (INST, OBJ, PERSID, EXT1 ...) is refused before loading.
_OPCODE_NAMES = """
    PROTO FRAME STOP MARK NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 FLOAT BINFLOAT
    STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE BINBYTES SHORT_BINBYTES BINBYTES8
    LIST EMPTY_LIST APPEND APPENDS TUPLE EMPTY_TUPLE TUPLE1 TUPLE2 TUPLE3 DICT EMPTY_DICT SETITEM SETITEMS
    PUT BINPUT LONG_BINPUT MEMOIZE GET BINGET LONG_BINGET GLOBAL STACK_GLOBAL REDUCE BUILD NEWOBJ
"""
_OPCODES = frozenset(_OPCODE_NAMES.split())
_MEMO_WRITES = frozenset(("PUT", "BINPUT", "LONG_BINPUT"))
PLAIN_DTYPE = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248])")
DAMAGE = (
    pickle.UnpicklingError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    EOFError,
    OverflowError,
    MemoryError,
    RecursionError,
    SyntaxError,
    DeprecationWarning,
    NotImplementedError,
    RuntimeError,
    struct.error,
    tokenize.TokenError,
    zlib.error,
    zipfile.BadZipFile,
    OSError,
)
"""All that a damaged file makes the readers of the standard library and of numpy raise."""


class WrongContent(ModelFileError):
    """A file that is not what it should be; the text continues 'This file ...'."""


class _Inert:
    """Base of the stand-ins for classes that a pickle names: they hold values and cannot be changed as classes."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("a state where none belongs")


class _NdarrayClass(_Inert):
    """Stands for the name numpy.ndarray, which array pickles pass around."""


class _Dtype(_Inert):
    """Stands for numpy.dtype; knows plain numbers and objects only."""

    __slots__ = ("_code", "_order")

    def __init__(self, code: str, align: Any = False, copy: Any = False) -> None:
        if code not in ("O", "O8", "O4") and not PLAIN_DTYPE.fullmatch(code):
            raise pickle.UnpicklingError("an array of unusual values")
        self._code, self._order = code, ""

    def __setstate__(self, state: Any) -> None:
        order = state[1]
        if order not in ("<", ">", "|", "="):
            raise pickle.UnpicklingError("an unknown byte order")
        self._order = "" if order in "|=" else order

    @property
    def is_object(self) -> bool:
        return self._code.startswith("O")

    @property
    def plain(self) -> np.dtype[Any]:
        if self.is_object:
            raise pickle.UnpicklingError("objects where numbers belong")
        return np.dtype(self._order + self._code.lstrip("<>|=")) if self._order else np.dtype(self._code)


class _Array(_Inert):
    """Stands for numpy's _reconstruct: becomes an array only when shape and content agree."""

    __slots__ = ("array",)

    def __init__(self, kind: Any, shape: Any, code: Any) -> None:
        """Arguments as numpy writes them; the real ones come with the state."""

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, content = state
        count = count_of(shape)
        if dtype.is_object:
            if type(content) is not list or len(content) != count:
                raise pickle.UnpicklingError("an array whose shape and content differ")
            flat: np.ndarray[Any, Any] = np.empty(count, dtype=object)
            for index, value in enumerate(content):
                flat[index] = value
        else:
            raw = content.encode("latin1") if type(content) is str else content
            plain = dtype.plain
            if type(raw) is not bytes or len(raw) != count * plain.itemsize:
                raise pickle.UnpicklingError("an array whose shape and content differ")
            flat = np.frombuffer(raw, plain)
        self.array = flat.reshape(shape, order="F" if fortran else "C")


class _Scalar(_Inert):
    """Stands for numpy's scalar: gives the Python number."""

    def __new__(cls, dtype: _Dtype, raw: Any) -> Any:
        content = raw.encode("latin1") if type(raw) is str else raw
        plain = dtype.plain
        if type(content) is not bytes or len(content) != plain.itemsize:
            raise pickle.UnpicklingError("a number of the wrong size")
        return np.frombuffer(content, plain)[0].item()


class _Encode(_Inert):
    """Stands for codecs.encode, with which Python 3 writes bytes at protocol 2."""

    def __new__(cls, text: str, encoding: str) -> Any:
        if encoding not in ("latin1", "latin-1"):
            raise pickle.UnpicklingError("an unusual encoding")
        return str(text).encode("latin1")


class Mixture(_Inert):
    """Stands for scikit-learn's GaussianMixture: three arrays and nothing of its code."""

    __slots__ = ("means", "precisions_cholesky", "weights")

    def __setstate__(self, state: Any) -> None:
        self.weights = plain_array(state["weights_"])
        self.means = plain_array(state["means_"])
        self.precisions_cholesky = plain_array(state["precisions_cholesky_"])


_CLASSES: dict[tuple[str, str], type[_Inert]] = {
    ("numpy", "ndarray"): _NdarrayClass,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _Encode,
    ("sklearn.mixture.gaussian_mixture", "GaussianMixture"): Mixture,
    ("sklearn.mixture._gaussian_mixture", "GaussianMixture"): Mixture,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Array for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _Scalar for core in ("core", "_core")},
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        return _class_of(module, name)


def _class_of(module: str, name: str) -> type[_Inert]:
    found = _CLASSES.get((module, name))
    if found is None:
        raise WrongContent(f"asks to run {module[:60]}.{name[:60]}, which no file of this model needs; it was not run")
    return found


def load_pickle(data: bytes) -> Any:
    """The plain values in a pickle; arrays come back through ``plain_array``.

    Every instruction is looked at before the first one is carried out, and no class is ever imported.

    Raises:
        WrongContent: anything but lists, tuples, dictionaries, texts, numbers, arrays and one mixture; or damaged.
    """
    if data.startswith(LFS_POINTER):
        raise WrongContent("is only a Git LFS pointer, not the file; 'git lfs pull' gets it")
    if len(data) > PICKLE_LIMIT:
        raise WrongContent("is far too large to be this file")
    if not data.startswith(b"\x80"):
        data = data.replace(b"\r\n", b"\n")  # git may have changed the ends of lines where the format is all text
    try:
        _look_through(data)
        return _Unpickler(io.BytesIO(data), encoding="latin1").load()
    except WrongContent:
        raise
    except DAMAGE as error:
        raise WrongContent("is damaged, or no pickle of this model") from error


def _look_through(data: bytes) -> None:
    for steps, (opcode, argument, position) in enumerate(pickletools.genops(data)):
        if opcode.name not in _OPCODES:
            raise WrongContent(f"holds the pickle instruction {opcode.name}, which no file of this model needs")
        if opcode.name == "GLOBAL":
            _class_of(*str(argument).split(" ", 1))
        elif opcode.name in _MEMO_WRITES and int(str(argument)) > steps:
            raise WrongContent("is damaged (it numbers values that it does not hold)")  # would reserve memory for them
        if position and opcode.name == "PROTO":
            raise WrongContent("is damaged (a second beginning)")


def plain_array(value: Any) -> np.ndarray[Any, Any]:
    """The array of numbers (or of objects) that a pickled array stands for.

    Raises:
        WrongContent: ``value`` is something else.
    """
    if not isinstance(value, _Array) or not hasattr(value, "array"):
        raise WrongContent("holds something else than the array that belongs here")
    return value.array


def count_of(shape: Any) -> int:
    """Number of values in an array of ``shape``.

    Raises:
        WrongContent: no shape.
    """
    if type(shape) is not tuple or len(shape) > _DIMENSIONS or any(type(n) is not int or n < 0 for n in shape):
        raise WrongContent("holds an array of an impossible shape")
    return math.prod(shape)
