"""A network's checkpoint into a safetensors file, weight by weight, after its architecture was recognised."""

from __future__ import annotations

import json
import pickle
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import ModelFileError
from engine.packs.facescape.checkpoint import INPUT_CHANNELS, GeneratorShape, read_architecture
from engine.packs.facescape.restricted import DAMAGE, LFS_POINTER, WrongContent

if TYPE_CHECKING:
    import torch

_PIECE = 4 << 20
_ZIP_OVERHEAD = 1.05
_MOST_TENSORS = 2000


def open_checkpoint(path: Path) -> Mapping[str, torch.Tensor]:
    """The tensors of a checkpoint; their values stay on disk where the file allows it.

    Raises:
        WrongContent: damaged, not only tensors, or with code in it (which is not run).
        OSError: the file cannot be opened.
    """
    import torch

    is_zip = _look_at(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch announces its own changes; nothing here depends on them
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=True if is_zip else None)
    except pickle.UnpicklingError as error:
        raise WrongContent("is damaged, or holds more than tensors; nothing of it was run") from error
    except DAMAGE as error:
        raise WrongContent("is damaged, or no checkpoint") from error
    if not isinstance(state, dict) or not 0 < len(state) <= _MOST_TENSORS:
        raise WrongContent("holds no state dict of a network")
    for key, tensor in state.items():
        if not isinstance(key, str) or not isinstance(tensor, torch.Tensor):
            raise WrongContent("holds more than the weights of a network")
        if not tensor.is_floating_point() or tensor.layout != torch.strided or tensor.device.type != "cpu":
            raise WrongContent("holds weights of an unusual kind")
    return state


def recognise(path: Path, state: Mapping[str, torch.Tensor]) -> tuple[str, GeneratorShape]:
    """Which network it is, 'single' or 'rig', and its shape.

    Raises:
        ModelFileError: another network; the hint lists the missing and the unexpected keys.
        WrongContent: the right architecture with an impossible number of input channels.
    """
    try:
        shape = read_architecture({key: tuple(tensor.shape) for key, tensor in state.items()})
    except ModelFileError as error:
        raise ModelFileError(f"{path.name} is not a detail network of FaceScape.", error.hint) from error
    for kind, channels in INPUT_CHANNELS.items():
        if shape.input_channels == channels:
            return kind, shape
    raise WrongContent(f"is a network for {shape.input_channels} input channels instead of 3 or 6")


def safetensors_chunks(state: Mapping[str, torch.Tensor]) -> Iterator[bytes]:
    """The bytes of a safetensors file with all tensors as float32, in pieces.

    Raises:
        WrongContent: a weight is not finite.

    Source:
        The safetensors format: length, JSON header, values. Written here because its own writer holds all in memory.
    """
    import torch

    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    at = 0
    for key, tensor in state.items():
        size = tensor.numel() * 4
        header[key] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little") + text
    for key, tensor in state.items():
        values = tensor.detach().to(torch.float32).contiguous()
        if not bool(torch.isfinite(values).all()):
            raise WrongContent(f"has weights that are not finite (NaN) in {key[:60]}")
        raw = values.numpy().tobytes()
        for start in range(0, len(raw), _PIECE):
            yield raw[start : start + _PIECE]


def _look_at(path: Path) -> bool:
    """Whether it is a zip file (else the format before torch 1.6); zip bombs are refused.

    Raises:
        WrongContent: a pointer, or entries larger than the file.
    """
    with path.open("rb") as stream:
        start = stream.read(len(LFS_POINTER))
    if start == LFS_POINTER:
        raise WrongContent("is only a Git LFS pointer, not the file; 'git lfs pull' gets it")
    if not start.startswith(b"PK"):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except DAMAGE as error:
        raise WrongContent("is damaged, or no checkpoint") from error
    unpacked = sum(entry.file_size for entry in entries)
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries) or unpacked > (
        _ZIP_OVERHEAD * path.stat().st_size
    ):
        raise WrongContent("is packed in an unusual way")
    return True
