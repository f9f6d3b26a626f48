"""Endless examples for the training: made by helper processes from the seed and their number alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from engine.detail.inputs import mirrored_surface
from engine.training.skin.heads import Head
from engine.training.skin.samples import (
    Sample,
    known,
    make_sample,
    random_keys,
    random_person,
    random_place,
    random_smoothness,
    wanted,
)

Planes = dict[str, np.ndarray]


@dataclass(frozen=True)
class SkinExamples(Dataset[Planes]):
    """Example i is the same on every machine."""

    heads: list[Head]
    seed: int
    crop: int
    keys: int

    def __getitem__(self, index: int) -> Planes:
        """Planes of one example by name, float16, channels first."""
        import cv2

        cv2.setNumThreads(1)
        rng = np.random.default_rng((self.seed, index))
        head = self.heads[index % len(self.heads)]
        place = random_place(head, rng, self.crop)
        smoothness = random_smoothness(rng)
        keys = random_keys(head, rng, place, self.keys)
        person = random_person(rng, smoothness)
        planes = network_planes(make_sample(head, rng, keys, place, person=person, smoothness=smoothness))
        return mirrored(planes) if rng.random() < 0.5 else planes


def network_planes(sample: Sample) -> Planes:
    """An example as the network and its loss take it."""
    from engine.detail.network import DEPTH_MM

    texture, surface = sample.planes()
    static, expressed = wanted(sample)
    planes = {
        "texture": texture.transpose(2, 0, 1),
        "surface": surface.transpose(2, 0, 1),
        "static": static[None] / DEPTH_MM,
        "weight": known(sample)[None],
        "strain": np.stack([field.strain.transpose(2, 0, 1) for field in sample.fields]),
        "guide": np.stack([field.guide[None] for field in sample.fields]),
        "moved": np.stack([field.moved[None] for field in sample.fields]),
        "expressed": np.stack([relief[None] for relief in expressed]) / DEPTH_MM,
    }
    return {name: np.ascontiguousarray(plane, np.float16) for name, plane in planes.items()}


def mirrored(planes: Planes) -> Planes:
    """The example of the mirrored face."""
    turned = {name: plane[..., ::-1].copy() for name, plane in planes.items()}
    mirrored_surface(turned["surface"])
    turned["strain"][:, 3] *= -1.0  # sine of twice the direction
    return turned


class _From(Sampler[int]):
    """Numbers from ``first`` on, without end."""

    def __init__(self, first: int) -> None:
        super().__init__()
        self._first = first

    def __iter__(self) -> Iterator[int]:
        index = self._first
        while True:
            yield index
            index += 1


def example_stream(examples: SkinExamples, first: int, batch: int, workers: int) -> Iterator[dict[str, Tensor]]:
    """Batches of new examples from number ``first`` on, in order."""
    loader: DataLoader[Any] = DataLoader(
        examples, batch_size=batch, sampler=_From(first), num_workers=workers, prefetch_factor=4 if workers else None
    )
    return iter(loader)
