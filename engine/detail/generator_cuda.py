"""The detail network on a CUDA device: half precision, channels last, batches replayed as one CUDA graph."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from engine.arrays import FloatArray
from engine.detail.generator import check_pictures, layer_names, without_gradients
from engine.errors import GpuError
from engine.packs.facescape.checkpoint import GeneratorShape

if TYPE_CHECKING:
    import torch

_BATCH = 4
"""Pictures at a time: the largest layer of 1024 x 1024 pictures takes 0.5 GB then."""
_WARM_UP = 2
"""Runs before a graph is recorded, in which cuDNN chooses its algorithms."""


def forward(weights: Mapping[str, torch.Tensor], shape: GeneratorShape, pictures: torch.Tensor) -> torch.Tensor:
    """The network by torch's own layers, on the device and in the precision of its arguments.

    Args:
        weights: by the checkpoint's keys.
        shape: of the network.
        pictures: (N, C, H, W) in [-1, 1].

    Returns:
        (N, 1, H, W) in [-1, 1].
    """
    import torch.nn.functional as F

    halving, residual, doubling, last = layer_names(shape)

    def convolve(h: torch.Tensor, name: str, radius: int) -> torch.Tensor:
        return F.conv2d(F.pad(h, (radius,) * 4, mode="reflect"), weights[f"{name}.weight"])

    h = F.relu_(F.instance_norm(convolve(pictures, "model.1", 3)))
    for name in halving:
        h = F.relu_(F.instance_norm(F.conv2d(h, weights[f"{name}.weight"], stride=2, padding=1)))
    for first, second in zip(residual[::2], residual[1::2], strict=True):
        inner = F.relu_(F.instance_norm(convolve(h, first, 1)))
        h = h + F.instance_norm(convolve(inner, second, 1))
    for name in doubling:
        grown = F.conv_transpose2d(h, weights[f"{name}.weight"], stride=2, padding=1, output_padding=1)
        h = F.relu_(F.instance_norm(grown))
    return (convolve(h, last, 3) + weights[f"{last}.bias"].view(1, 1, 1, 1)).tanh()


class CudaNetwork:
    """One network on one CUDA device; graphs are kept by the size of their batch."""

    def __init__(self, weights: Mapping[str, torch.Tensor], shape: GeneratorShape, device: str = "cuda") -> None:
        """Copy the weights to the device, 'cuda' or 'cuda:N'.

        Raises:
            GpuError: it has not enough memory, or fails.
        """
        self.shape = shape
        self._device = device
        try:
            self._weights = {key: self._on_device(value) for key, value in weights.items()}
        except RuntimeError as error:  # torch's out-of-memory error is one
            raise _gpu_error(error) from error
        self._graphs: dict[tuple[int, ...], tuple[torch.cuda.CUDAGraph, torch.Tensor, torch.Tensor]] = {}

    def steps(self, pictures: FloatArray) -> Generator[float, None, FloatArray]:
        """See ``DetailNetwork.steps``; one report for each batch.

        Raises:
            GpuError: the device has not enough memory, or fails.
        """
        check_pictures(pictures, self.shape)
        results = np.empty((len(pictures), *pictures.shape[2:]), np.float32)
        for first in range(0, len(pictures), _BATCH):
            part = slice(first, first + _BATCH)
            try:
                results[part] = self._run(pictures[part])
            except RuntimeError as error:  # torch's out-of-memory error is one
                raise _gpu_error(error) from error
            yield min((first + _BATCH) / len(pictures), 1.0)
        return results

    @without_gradients
    def _run(self, pictures: FloatArray) -> FloatArray:
        import torch

        with torch.cuda.device(self._device):
            batch = self._on_device(torch.tensor(pictures))
            if pictures.shape not in self._graphs:
                self._graphs[pictures.shape] = self._record(batch)
            graph, source, target = self._graphs[pictures.shape]
            source.copy_(batch)
            graph.replay()
            return np.asarray(target[:, 0].float().cpu().numpy(), np.float32)

    def _record(self, batch: torch.Tensor) -> tuple[torch.cuda.CUDAGraph, torch.Tensor, torch.Tensor]:
        """The graph with its fixed input and output, as torch's notes on CUDA graphs ask for it."""
        import torch

        source = batch.clone()
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(_WARM_UP):
                forward(self._weights, self.shape, source)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            target = forward(self._weights, self.shape, source)
        return graph, source, target

    def _on_device(self, value: torch.Tensor) -> torch.Tensor:
        import torch

        layout = torch.channels_last if value.ndim == 4 else torch.contiguous_format
        return value.to(self._device, torch.float16, memory_format=layout)


def _gpu_error(error: Exception) -> GpuError:
    first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
    return GpuError(
        f"The graphics card could not run the detail network ({first_line}).",
        "Close other programs that use it, or compute on the processor with --gpu_ids -1.",
    )
