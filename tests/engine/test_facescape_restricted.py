"""The restricted readers: what the files need is read, anything else is refused before it runs or takes memory."""

from __future__ import annotations

import io
import os
import pickle
import struct
import subprocess
import time
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from engine.packs.facescape.restricted import (
    Mixture,
    WrongContent,
    load_pickle,
    plain_array,
)
from engine.packs.facescape.restricted_arrays import Npz, read_header, read_npy
from tests import facescape_standin as standin

PREDEF = Path(__file__).resolve().parents[2] / ".." / "shared" / "facescape" / "predef"
needs_originals = pytest.mark.skipif(not PREDEF.is_dir(), reason="the original's small files are not here")


class Hostile:
    """Makes a folder when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self._marker),)


def hostile_pickles(marker: Path) -> dict[str, bytes]:
    """Pickles that make ``marker`` when they are loaded without care."""
    text = str(marker).encode()
    call = _text(b"__import__('os').mkdir(" + repr(str(marker)).encode() + b")")
    plain = {f"protocol {p}": pickle.dumps([1, Hostile(marker)], p) for p in range(6)}
    return plain | {
        "posix name": b"cos\nmkdir\n(V" + text + b"\ntR.",
        "exec": b"cbuiltins\nexec\n(" + call + b"tR.",
        "eval as Python 2 named it": b"\x80\x02c__builtin__\neval\n(" + call + b"tR.",
        "INST": b"(V" + text + b"\nios\nmkdir\n.",
        "OBJ": b"(cos\nmkdir\nV" + text + b"\no.",
        "numpy's own exec": b"cnumpy.testing._private.utils\nrunstring\n(" + call + b"}tR.",
        "another function of numpy": b"cnumpy\nsave\n(V" + text + b"\nK\x01tR.",
        "dotted name": b"\x80\x04\x8c\x02os\x8c\x0dpath.os.mkdir\x93" + _text(text) + b"\x85R.",
        "the mixture's constructor": b"csklearn.mixture.gaussian_mixture\nGaussianMixture\n(cos\nmkdir\n(V"
        + text
        + b"\ntRtR.",
    }


def _text(content: bytes) -> bytes:
    return b"X" + struct.pack("<I", len(content)) + content


@pytest.mark.parametrize("kind", sorted(hostile_pickles(Path("x"))))
def test_hostile_pickle_is_refused_without_running(tmp_path, kind):
    marker = tmp_path / "ran"
    with pytest.raises(WrongContent):
        load_pickle(hostile_pickles(marker)[kind])
    assert not marker.exists()


def test_the_hostile_pickles_are_hostile(tmp_path):
    """Without the restriction most of them run; otherwise the test above would prove nothing."""
    ran = []
    for index, kind in enumerate(hostile_pickles(tmp_path)):
        marker = tmp_path / str(index)
        try:
            pickle.loads(hostile_pickles(marker)[kind])
        except (ImportError, AttributeError, pickle.UnpicklingError):
            pass  # needs a module of another version
        if marker.exists():
            ran.append(kind)
    must = {f"protocol {p}" for p in range(6)}
    assert must | {
        "posix name",
        "exec",
        "eval as Python 2 named it",
        "INST",
        "OBJ",
        "dotted name",
    } <= set(ran)


@pytest.mark.parametrize("target", [b"cnumpy\nndarray\n", b"cnumpy\ndtype\n", b"cnumpy.core.multiarray\nscalar\n"])
@pytest.mark.parametrize("state", [b"}X\x01\x00\x00\x00aK\x01s", b"N}X\x01\x00\x00\x00aK\x01s\x86"])
def test_allowed_names_cannot_be_changed(target, state):
    with pytest.raises(WrongContent):
        load_pickle(b"\x80\x02" + target + state + b"b.")


@pytest.mark.parametrize(
    ("protocol", "old_numpy"), [*((p, False) for p in range(5)), *((p, True) for p in range(4))]
)  # protocol 4 writes names with their length: they cannot be exchanged afterwards
def test_arrays_of_every_kind_come_back(protocol, old_numpy):
    arrays = [
        np.arange(6).reshape(2, 3).astype(dtype) for dtype in ("<f4", ">f8", "<i8", "<i4", "<u2", "|b1", "<f2", "|u1")
    ]
    arrays += [np.asfortranarray(arrays[0]), np.array(3.5)]
    for array in arrays:
        found = plain_array(load_pickle(standin.pickled(array, protocol, old_numpy=old_numpy)))
        np.testing.assert_array_equal(found, array)
        assert found.dtype == array.dtype


@pytest.mark.parametrize("protocol", range(5))
def test_plain_values_and_numpy_numbers_come_back(protocol):
    value = ([[0.25, 1.0]], [([1, 2, 3], [0, 0, 0], [4, 5, 6], None)], {"a": (True, 10**30)}, "é", b"raw")
    assert load_pickle(pickle.dumps(value, protocol)) == value
    numbers = load_pickle(pickle.dumps([np.int64(7), np.float32(0.5), np.bool_(True)], protocol))
    assert numbers == [7, 0.5, True]
    assert [type(number) for number in numbers] == [int, float, bool]


def test_mixture_is_three_arrays_and_scikit_learn_is_not_imported():
    import sys

    original = standin.make_mixture()
    found = load_pickle(standin.pickled(original, 3))
    assert isinstance(found, Mixture)
    np.testing.assert_array_equal(found.precisions_cholesky, original.precisions_cholesky_)
    assert "sklearn" not in sys.modules


@pytest.mark.parametrize("dtype", ["datetime64[s]", "U3", "S3", "complex128", [("a", "f4")], [("a", "O")]])
def test_arrays_of_other_things_are_refused(dtype):
    with pytest.raises(WrongContent):
        load_pickle(standin.pickled([np.zeros(2, dtype)]))


@needs_originals
def test_original_files_are_read_as_plain_pickle_reads_them():
    for name in (
        "faces.pkl",
        "front_faces.pkl",
        "front_texcoords.pkl",
        "front_face_indices.pkl",
        "contour_line_68.pkl",
    ):
        data = (PREDEF / name).read_bytes()
        assert load_pickle(data) == pickle.loads(data), name
    for name in ("id_mean.pkl", "id_var.pkl"):
        data = (PREDEF / name).read_bytes()
        np.testing.assert_array_equal(plain_array(load_pickle(data)), pickle.loads(data))


def test_line_ends_changed_by_git_do_no_harm():
    value = [([1, 2, 3], [1, 2, 3], [4, 5, 6], "material_0"), [0.25, 0.5]]
    text = pickle.dumps(value, 0)
    assert load_pickle(text.replace(b"\n", b"\r\n")) == value


def test_pointer_of_git_lfs_is_named_as_such(tmp_path):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n"
    (tmp_path / "a.npz").write_bytes(pointer)
    for read in (lambda: load_pickle(pointer), lambda: Npz(tmp_path / "a.npz"), lambda: _header(pointer)):
        with pytest.raises(WrongContent, match="Git LFS pointer"):
            read()


MEMORY_BOMBS = {
    "memo index": b"\x80\x02K\x01r\xff\xff\xff\xff.",
    "memo index as text": b"I1\np4294967295\n.",
    "long bytes": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b".",
    "array of a large shape": b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nJ\xff\xff\xff\x7f\x85"
    b"C\x01b\x87R.",
    "many digits": b"I" + b"9" * 1_000_000 + b"\n.",
}


@pytest.mark.parametrize("kind", sorted(MEMORY_BOMBS))
def test_memory_is_not_reserved_for_what_a_pickle_claims(kind):
    tracemalloc.start()
    try:
        try:
            value = load_pickle(MEMORY_BOMBS[kind])
        except WrongContent:
            value = None
        with pytest.raises(WrongContent):
            plain_array(value)
        assert tracemalloc.get_traced_memory()[1] < 30 << 20
    finally:
        tracemalloc.stop()


def test_lists_that_hold_themselves_end_at_once():
    from engine.packs.facescape.convert_predef import READERS

    laugh: object = [0.5, 0.5]
    for _ in range(60):
        laugh = [laugh] * 10
    loop: list[object] = []
    loop.extend([loop] * 10)
    deep: object = []
    for _ in range(20_000):
        deep = (deep,)
    nested = b"(" * 20_000 + b"t" * 20_000 + b"."
    start = time.monotonic()
    for data in (pickle.dumps(laugh, 2), pickle.dumps(loop, 2), nested):
        for name, read in READERS.items():
            if name.endswith(".pkl"):
                with pytest.raises(WrongContent):
                    read(data)
    assert time.monotonic() - start < 20


def _header(data: bytes, size: int | None = None):
    return read_header(io.BytesIO(data), len(data) if size is None else size)


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<i2", "|b1"])
def test_npy_files_come_back(tmp_path, order, dtype):
    array = np.array(np.arange(12).reshape(3, 4) % 2, dtype, order=order)
    path = tmp_path / "a.npy"
    np.save(path, array)
    np.testing.assert_array_equal(read_npy(path), array)


def test_npy_header_of_two_gigabytes_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "a.npy"
    with path.open("wb") as stream:
        stream.write(b"\x93NUMPY\x02\x00" + struct.pack("<I", (1 << 31) - 1))
        stream.truncate(1 << 31)  # sparse: takes no room on the disk
    tracemalloc.start()
    try:
        with pytest.raises(WrongContent, match="impossible header"):
            read_npy(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_npy_that_claims_two_gigabytes_is_refused_before_they_are_reserved():
    honest = _npy(np.zeros((2, 2), np.float32))
    claim = honest.replace(b"(2, 2), }" + b" " * 13, b"(23170, 23170), }     ")
    assert claim != honest
    assert len(claim) == len(honest)
    with pytest.raises(WrongContent, match="cut short"):
        _header(claim)


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 2), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, 99999999999999999), }",
        "{'descr': '|V8', 'fortran_order': False, 'shape': (2,), }",
        "{'descr': '<M8[s]', 'fortran_order': False, 'shape': (2,), }",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }",
        "{'descr': [('a', 'O')], 'fortran_order': False, 'shape': (2,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': 2, }",
        "{'descr': '<f4', 'shape': (2,), }",
        "__import__('os')",
        "(" * 900,
        "",
    ],
)
def test_npy_headers_that_make_no_sense(header):
    text = header.encode().ljust(118) + b"\n"
    with pytest.raises(WrongContent):
        _header(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(16))


def test_npy_of_objects_is_no_array_of_numbers(tmp_path):
    marker = tmp_path / "ran"
    path = tmp_path / "a.npy"
    np.save(path, np.array([Hostile(marker)], dtype=object), allow_pickle=True)
    with pytest.raises(WrongContent, match="objects where numbers belong"):
        read_npy(path)
    assert not marker.exists()


def test_npz_objects_go_through_the_restricted_reader(tmp_path):
    path, marker = tmp_path / "a.npz", tmp_path / "ran"
    np.savez(path, good=np.array({1: 2}, dtype=object), bad=np.array([Hostile(marker)], dtype=object))
    with Npz(path) as archive:
        assert archive.array("good").item() == {1: 2}
        with pytest.raises(WrongContent, match=r"entry bad that asks to run .*mkdir"):
            archive.array("bad")
        with pytest.raises(WrongContent, match="lacks other"):
            archive.array("other")
    assert not marker.exists()


def test_zip_bomb_takes_neither_memory_nor_time(tmp_path):
    path = tmp_path / "bomb.npz"
    member = zipfile.ZipInfo("arr_0.npy")
    member.compress_type = zipfile.ZIP_DEFLATED
    header = _npy(np.zeros(0, np.float32)).replace(b"(0,), }" + b" " * 10, b"(33554432,), }   ")
    with zipfile.ZipFile(path, "w") as archive, archive.open(member, "w", force_zip64=True) as stream:
        stream.write(header)
        for _ in range(4):
            stream.write(bytes(32 << 20))
    assert path.stat().st_size < 1 << 20
    tracemalloc.start()
    try:
        start = time.monotonic()
        with Npz(path) as archive, pytest.raises(WrongContent, match="far too large"):
            archive.array("arr_0")
        assert time.monotonic() - start < 5
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()


def test_encrypted_or_unusual_members_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("arr_0.npy", _npy(np.zeros(3)))
    with pytest.raises(WrongContent, match="unusual way"):
        Npz(path)


def test_reading_needs_no_module_that_a_pickle_names():
    """In a fresh interpreter: a mixture is read although scikit-learn cannot be imported."""
    code = (
        "import sys; sys.modules['sklearn'] = None; from tests import facescape_standin as s;"
        "from engine.packs.facescape.convert_predef import read_mixture;"
        "print(read_mixture(s.pickled(s.make_mixture(), 3))['gmm_means'].shape)"
    )
    root = Path(__file__).resolve().parents[2]
    import sys

    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(20, 51)"
