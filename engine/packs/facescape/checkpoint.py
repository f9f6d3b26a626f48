"""Recognises the detail network by the names and sizes of its weights, and refuses every other network."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engine.errors import ModelFileError

INPUT_CHANNELS = {"single": 3, "rig": 6}
"""What tells the two networks apart: the rig's also sees three channels of a position map."""

_BLOCK = re.compile(r"model\.(\d+)\.conv_block\.[15]\.(?:weight|bias)")
_MOST_LISTED = 12
_MOST_LAYERS = 200
_EDGE_KERNEL = 7
_KERNEL = 3


@dataclass(frozen=True, slots=True)
class GeneratorShape:
    """What the weights say of the network: all that is needed to build it."""

    input_channels: int
    width: int
    """Channels of the first layer."""
    down: int
    """Number of halvings; as many doublings follow."""
    blocks: int
    """Number of residual blocks between them."""


def read_architecture(shapes: Mapping[str, tuple[int, ...]]) -> GeneratorShape:
    """Width, depth and channels of the detail network.

    Args:
        shapes: of every tensor in the state dict, by its key.

    Raises:
        ModelFileError: another network; the hint lists the missing and the unexpected keys and the other sizes.

    Source:
        The generator of pix2pixHD (Wang et al., CVPR 2018), as listed in the original's checkpoints.
    """
    guess = _guess(shapes)
    wanted = expected_shapes(guess)
    missing = [key for key in wanted if key not in shapes]
    extra = [key for key in shapes if key not in wanted]
    other = [
        f"{key} is {_size(shapes[key])} instead of {_size(wanted[key])}"
        for key in wanted
        if key in shapes and tuple(shapes[key]) != wanted[key]
    ]
    if missing or extra or other:
        lists = (("Missing", missing), ("Unexpected", extra), ("Other sizes", other))
        raise ModelFileError(
            "The checkpoint is not a detail network of FaceScape.",
            " ".join(f"{title}: {_listed(items)}." for title, items in lists if items or title != "Other sizes"),
        )
    return guess


def expected_shapes(shape: GeneratorShape) -> dict[str, tuple[int, ...]]:
    """Size of every weight and bias of a network of that shape, in the order of its layers."""
    layers: dict[str, tuple[int, ...]] = {}

    def convolution(name: str, wide_out: int, wide_in: int, kernel: int, transposed: bool = False) -> None:
        ends = (wide_in, wide_out) if transposed else (wide_out, wide_in)
        layers[f"{name}.weight"] = (*ends, kernel, kernel)
        layers[f"{name}.bias"] = (wide_out,)

    convolution("model.1", shape.width, shape.input_channels, _EDGE_KERNEL)
    index, channels = 4, shape.width  # padding, convolution, normalisation and ReLU come before
    for _ in range(shape.down):
        convolution(f"model.{index}", 2 * channels, channels, _KERNEL)
        index, channels = index + 3, 2 * channels
    for _ in range(shape.blocks):
        for part in (1, 5):
            convolution(f"model.{index}.conv_block.{part}", channels, channels, _KERNEL)
        index += 1
    for _ in range(shape.down):
        convolution(f"model.{index}", channels // 2, channels, _KERNEL, transposed=True)
        index, channels = index + 3, channels // 2
    convolution(f"model.{index + 1}", 1, shape.width, _EDGE_KERNEL)
    return layers


def _guess(shapes: Mapping[str, tuple[int, ...]]) -> GeneratorShape:
    """The shape that the first layer and the residual blocks speak for; the original's where they are not there."""
    first = tuple(shapes.get("model.1.weight", ()))
    width, channels = (first[0], first[1]) if len(first) == 4 and min(first) > 0 else (64, 3)
    blocks = {int(match[1]) for key in shapes if (match := _BLOCK.fullmatch(key)) and len(match[1]) < 4}
    down, remainder = divmod(min(blocks) - 4, 3) if blocks else (4, 0)
    if not blocks or remainder or not 0 < down < _MOST_LAYERS or len(blocks) > _MOST_LAYERS:
        return GeneratorShape(channels, width, 4, 9)
    return GeneratorShape(channels, width, down, len(blocks))


def _listed(items: Iterable[str]) -> str:
    names = list(items)
    shown = ", ".join(str(name)[:80] for name in names[:_MOST_LISTED])
    more = len(names) - _MOST_LISTED
    return (shown or "none") + (f" and {more} more" if more > 0 else "")


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(str(n) for n in shape) or "a number"
