"""The layers of the detail network around its residual blocks, for pictures that lie as (H, W, C) in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_EPSILON = 1e-5
_CHUNK = 1 << 21
"""Numbers that are normalised at a time: 8 MB mostly stay in the last cache between the passes; smaller pieces make threads
wait for each other more often, which costs seconds on a busy machine."""
_STRIP_ROWS = 128
"""Rows of the last convolution at a time: the mirrored copy of a whole picture would take 270 MB."""


def normalize_(picture: torch.Tensor, *, relu: bool) -> torch.Tensor:
    """Give every channel mean 0 and variance 1, in place.

    Args:
        picture: (H, W, C) float32, contiguous.
        relu: whether negative results become zero.

    Source:
        Ulyanov et al., "Instance Normalization" (2016), without learned scale. Means and variances of chunks are merged as
        by Chan et al. (1979): several times faster than torch's own over this layout, and as exact.
    """
    import torch

    C = picture.shape[-1]
    pixels = picture.view(-1, C)
    chunks = torch.split(pixels, max(1, _CHUNK // C))
    means, squares = [], []
    for chunk in chunks:
        mean = chunk.mean(0)
        means.append(mean)
        squares.append((chunk - mean).square_().sum(0))
    counts = torch.tensor([[len(chunk)] for chunk in chunks], dtype=torch.float64)
    each = torch.stack(means).double()
    mean = (counts * each).sum(0) / len(pixels)
    total = torch.stack(squares).double().sum(0) + (counts * (each - mean) ** 2).sum(0)
    scale = (total / len(pixels) + _EPSILON).rsqrt()
    factor, offset = scale.float(), (-mean * scale).float()
    for chunk in chunks:
        torch.addcmul(offset, chunk, factor, out=chunk)
        if relu:
            chunk.relu_()
    return picture


def convolve_first(picture: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    """Mirrored 7x7 convolution without bias: (C, H, W) and (O, C, 7, 7) to (H, W, O)."""
    import torch.nn.functional as F

    radius = kernels.shape[-1] // 2
    padded = F.pad(picture[None], (radius,) * 4, mode="reflect")
    return _rows_first(F.conv2d(_channels_last(padded), kernels))


def halve(picture: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    """Convolution with stride 2 and zero border, without bias: (H, W, C) and (O, C, 3, 3) to (H/2, W/2, O)."""
    import torch.nn.functional as F

    return _rows_first(F.conv2d(_channels_first(picture), kernels, stride=2, padding=1))


def double(picture: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    """Transposed convolution with stride 2, without bias: (H, W, C) and (C, O, 3, 3) to (2H, 2W, O)."""
    import torch.nn.functional as F

    return _rows_first(F.conv_transpose2d(_channels_first(picture), kernels, stride=2, padding=1, output_padding=1))


def convolve_last(picture: torch.Tensor, kernels: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Mirrored 7x7 convolution to one channel, then tanh: (H, W, C) and (1, C, 7, 7) to (H, W).

    A single output channel leaves the vector units nearly empty; seven column sums at once, shifted and added, fill them.
    """
    import torch
    import torch.nn.functional as F

    H, W, _ = picture.shape
    size = kernels.shape[-1]
    radius = size // 2
    by_column = _channels_last(kernels[0].permute(2, 0, 1)[..., None])  # (7 columns, C, 7 rows, 1)
    rows, columns = _mirrored(H, radius), _mirrored(W, radius)
    result = torch.empty(H, W)
    for top in range(0, H, _STRIP_ROWS):
        out = result[top : top + _STRIP_ROWS]
        strip = picture[rows[top : top + len(out) + 2 * radius]][:, columns]
        sums = F.conv2d(_channels_first(strip), by_column)[0]  # (7, rows, W + 6)
        out.copy_(sums[0, :, :W])
        for shift in range(1, size):
            out += sums[shift, :, shift : shift + W]
    return result.add_(bias).tanh_()


def _mirrored(length: int, radius: int) -> torch.Tensor:
    """Indices of 0..length-1 with the border mirrored at both ends: (length + 2 radius,) int64."""
    import torch

    index = torch.arange(-radius, length + radius).abs_()
    return torch.minimum(index, 2 * (length - 1) - index)


def _channels_last(picture: torch.Tensor) -> torch.Tensor:
    import torch

    return picture.contiguous(memory_format=torch.channels_last)


def _channels_first(picture: torch.Tensor) -> torch.Tensor:
    """(H, W, C) -> (1, C, H, W) without a copy: torch's channels-last layout."""
    return picture.permute(2, 0, 1)[None]


def _rows_first(picture: torch.Tensor) -> torch.Tensor:
    """(1, C, H, W) in any layout -> (H, W, C) contiguous, without a copy where it lies so already."""
    return picture[0].permute(1, 2, 0).contiguous()
