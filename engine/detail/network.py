"""The detail network: one reading of the face's texture, shared by its relief at rest and under every expression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.detail.inputs import STRAIN_PLANES, SURFACE_PLANES, TEXTURE_PLANES

DEPTH_MM = 0.1
"""Relief of one unit of the network's output."""


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Sizes of the network; recorded beside its weights."""

    widths: tuple[int, int, int, int] = (16, 32, 64, 128)
    """Channels at a half, a quarter, an eighth and a sixteenth of the map."""
    blocks: tuple[int, int, int, int] = (1, 2, 2, 2)
    """Residual blocks on the way down; one each on the way up."""
    key_width: int = 32
    """Channels of the key branch at a quarter of the map."""
    key_blocks: int = 2
    key_fine: int = 16
    """Channels that it takes to half the map."""


class Reading(NamedTuple):
    """What the texture branch found; n is the side of the map."""

    static: Tensor
    """(B, 1, n, n), in DEPTH_MM."""
    log_spread: Tensor
    """(B, 1, n/2, n/2): logarithm of the error that is to be expected, in DEPTH_MM."""
    half: Tensor
    """(B, key_fine, n/2, n/2): what the key branch sees of the texture."""
    quarter: Tensor
    """(B, key_width, n/4, n/4)."""


class _Block(nn.Module):
    """x + two 3x3 convolutions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        inner: Tensor = self.first(functional.leaky_relu(x, 0.1))
        change: Tensor = self.second(functional.leaky_relu_(inner, 0.1))
        return change.add_(x)  # in place: new memory is slow at its first use


class DetailNetwork(nn.Module):
    """A U-Net without normalisation layers, whose every output depends on its surroundings alone.

    Source:
        Ronneberger et al., U-Net (MICCAI 2015); space-to-depth ends after Shi et al., sub-pixel convolution (CVPR 2016).
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        w0, w1, w2, w3 = config.widths
        self.stem = nn.Conv2d(4 * TEXTURE_PLANES + SURFACE_PLANES, w0, 3, padding=1)
        self.down = nn.ModuleList(
            nn.Sequential(*[_Block(width) for _ in range(count)])
            for width, count in zip(config.widths, config.blocks, strict=True)
        )
        self.shrink = nn.ModuleList(nn.Conv2d(4 * a, b, 1) for a, b in ((w0, w1), (w1, w2), (w2, w3)))
        self.grow = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in ((w0, w1), (w1, w2), (w2, w3)))
        self.up = nn.ModuleList(_Block(width) for width in (w0, w1, w2))
        self.head = nn.Conv2d(w0, 5, 3, padding=1)
        self.to_key_half = nn.Conv2d(w0, config.key_fine, 3, padding=1)
        self.to_key_quarter = nn.Conv2d(w1, config.key_width, 3, padding=1)
        self.key_stem = nn.Conv2d(STRAIN_PLANES + 4, config.key_width, 3, padding=1)
        self.key_blocks = nn.Sequential(*[_Block(config.key_width) for _ in range(config.key_blocks)])
        self.key_grow = nn.Conv2d(config.key_width, config.key_fine, 1)
        self.key_guide = nn.Conv2d(1, config.key_fine, 3, padding=1)
        self.key_block = _Block(config.key_fine)
        self.key_head = nn.Conv2d(config.key_fine, 4, 3, padding=1)
        self.key_gain = nn.Conv2d(config.key_fine, 1, 1)
        for layer in (self.head, self.key_head):
            nn.init.normal_(layer.weight, std=0.01)

    def read(self, texture: Tensor, surface: Tensor) -> Reading:
        """Texture (B, 3, n, n) and surface (B, 10, n/2, n/2) planes of ``engine.detail.inputs``; 16 divides n."""
        x, quarter = self._features(texture, surface)
        static, log_spread = self._relief(x)
        return Reading(static, log_spread, self.to_key_half(x), self.to_key_quarter(quarter))

    def at_rest(self, texture: Tensor, surface: Tensor) -> tuple[Tensor, Tensor]:
        """``static`` and ``log_spread`` of the same reading alone, which costs less."""
        return self._relief(self._features(texture, surface)[0])

    def _relief(self, x: Tensor) -> tuple[Tensor, Tensor]:
        out = self.head(functional.leaky_relu(x, 0.1))
        return functional.pixel_shuffle(out[:, :4], 2), out[:, 4:]

    def _features(self, texture: Tensor, surface: Tensor) -> tuple[Tensor, Tensor]:
        """Features at a half and at a quarter of the map."""
        x = self.stem(torch.cat([functional.pixel_unshuffle(texture, 2), surface], 1))
        passed = []
        for level in range(4):
            x = self.down[level](x)
            if level < 3:
                passed.append(x)
                x = self.shrink[level](functional.pixel_unshuffle(x, 2))
        quarter = x
        for level in (2, 1, 0):
            x = self.up[level](_doubled(self.grow[level](x)) + passed[level])
            if level == 1:
                quarter = x
        return x, quarter

    def express(self, reading: Reading, strain: Tensor, guide: Tensor, moved: Tensor) -> Tensor:
        """Relief (B, 1, n, n) under a key expression.

        Args:
            reading: of the same faces.
            strain: (B, 6, n/4, n/4).
            guide: (B, 1, n/2, n/2).
            moved: (B, 1, n/4, n/4) in [0, 1]: 0 leaves the relief as it is.
        """
        y = reading.quarter + self.key_stem(torch.cat([strain, functional.pixel_unshuffle(guide, 2)], 1))
        y = self.key_blocks(y)
        y = reading.half + _doubled(self.key_grow(functional.leaky_relu(y, 0.1))) + self.key_guide(guide)
        y = functional.leaky_relu(self.key_block(y), 0.1)
        share = _doubled(moved)
        gain = functional.interpolate(self.key_gain(y) * share, scale_factor=2.0, mode="bilinear", align_corners=False)
        return reading.static * (1.0 + gain) + functional.pixel_shuffle(self.key_head(y) * share, 2)


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
