"""What a good relief map is: depths, slopes and the strength of every band of feature sizes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_BANDS = 4
_DEPTH, _SLOPE = (0.02, 3.5, 2.0), (0.08, 12.0, 0.5)
"""Weights of the plain and of the squared error, and where the square goes on as a straight line. Plain errors make the
middle of what may be there the best answer, which for rare creases is far too flat, and faint lines come out at two thirds
of the depth that they have on average."""
_SPECTRUM, _SPREAD = 0.04, 0.05


def relief_loss(found: Tensor, true: Tensor, weight: Tensor, *, spectrum: bool = True) -> Tensor:
    """Loss of maps (B, 1, n, n) in units of the network's output; ``weight`` of the same shape."""
    error = found - true
    total = weight.sum() + 1.0
    loss = (_penalty(error, _DEPTH) * weight).sum()
    loss = loss + (_penalty(error.diff(dim=-1), _SLOPE) * weight[..., 1:]).sum()
    loss = loss + (_penalty(error.diff(dim=-2), _SLOPE) * weight[..., 1:, :]).sum()
    loss = loss / total
    return loss + _SPECTRUM * _spectrum_loss(found, true, weight) if spectrum else loss


def _penalty(error: Tensor, kind: tuple[float, float, float]) -> Tensor:
    plain, squared, reach = kind
    return plain * error.abs() + squared * functional.huber_loss(
        error, torch.zeros_like(error), reduction="none", delta=reach
    )


def spread_loss(error: Tensor, log_spread: Tensor, weight: Tensor) -> Tensor:
    """Negative log likelihood of a Laplace distribution whose width the network states; the map itself is left alone."""
    size = functional.avg_pool2d(error.detach().abs() * weight, 2) / (functional.avg_pool2d(weight, 2) + 1e-4)
    log_spread = log_spread.clamp(-6.0, 3.0)
    part = functional.avg_pool2d(weight, 2)
    return _SPREAD * ((size * torch.exp(-log_spread) + log_spread) * part).sum() / (part.sum() + 1.0)


def _spectrum_loss(found: Tensor, true: Tensor, weight: Tensor) -> Tensor:
    """Difference of the local strength per octave: keeps blurred averages from being the best answer."""
    loss = found.new_zeros(())
    for level in range(_BANDS):
        coarse_found, coarse_true = (functional.avg_pool2d(x, 2) for x in (found, true))
        bands = [
            x - functional.interpolate(c, scale_factor=2.0, mode="bilinear", align_corners=False)
            for x, c in ((found, coarse_found), (true, coarse_true))
        ]
        reach = max(4, 16 >> level)
        strengths = [torch.sqrt(functional.avg_pool2d(band**2, reach) + 1e-4) for band in bands]
        part = functional.avg_pool2d(weight, reach)
        loss = loss + ((strengths[0] - strengths[1]).abs() * part).sum() / (part.sum() + 1.0)
        found, true, weight = coarse_found, coarse_true, functional.avg_pool2d(weight, 2)
    return loss
