"""Time, memory and error of the detail network beside the straightforward one, as the original program runs it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from engine.detail.generator import load_network, run
from engine.packs.facescape.checkpoint import GeneratorShape, expected_shapes
from tests.bench.generator_runtimes import compiled_way, installed, onnxruntime_way, openvino_way

ROOT = Path(__file__).parents[2]
FULL = GeneratorShape(input_channels=3, width=64, down=4, blocks=9)
_REPEATS = 3


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            nn.InstanceNorm2d(channels),
            nn.ReLU(),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv_block(x)


class PlainNetwork(nn.Module):
    """The network layer by layer in torch's own modules: what every other way is compared with."""

    def __init__(self, shape: GeneratorShape) -> None:
        super().__init__()
        channels = shape.width
        stages: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(shape.input_channels, channels, 7)]
        stages += [nn.InstanceNorm2d(channels), nn.ReLU()]
        for _ in range(shape.down):
            stages += [nn.Conv2d(channels, 2 * channels, 3, 2, 1), nn.InstanceNorm2d(2 * channels), nn.ReLU()]
            channels *= 2
        stages += [_Residual(channels) for _ in range(shape.blocks)]
        for _ in range(shape.down):
            stages += [nn.ConvTranspose2d(channels, channels // 2, 3, 2, 1, 1), nn.InstanceNorm2d(channels // 2)]
            stages.append(nn.ReLU())
            channels //= 2
        stages += [nn.ReflectionPad2d(3), nn.Conv2d(channels, 1, 7), nn.Tanh()]
        self.model = nn.Sequential(*stages)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.model(pictures)


def plain(weights: dict[str, torch.Tensor], shape: GeneratorShape) -> PlainNetwork:
    """That network with these weights."""
    with torch.device("meta"):
        network = PlainNetwork(shape)
    network.load_state_dict(weights, assign=True)
    return network


def random_weights(shape: GeneratorShape, seed: int = 0) -> dict[str, torch.Tensor]:
    """Weights as an untrained pix2pixHD has them: normal, deviation 0.02."""
    generator = torch.Generator().manual_seed(seed)
    return {key: torch.randn(size, generator=generator) * 0.02 for key, size in expected_shapes(shape).items()}


def random_pictures(channels: int, size: int, seed: int = 0) -> np.ndarray:
    """(1, C, size, size) float32 in [-1, 1]."""
    return np.random.default_rng(seed).uniform(-1, 1, (1, channels, size, size)).astype(np.float32)


def generator() -> Iterator[str]:
    """Lines of the table: one map of 1024 x 1024, all ways in turn, the best of each; peak memory each in its own process."""
    from safetensors.torch import save_file

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.safetensors"
        save_file(random_weights(FULL), path)
        seconds, processor, outputs = _interleaved(path)
        peaks = {way: _peak_mb(path, way) for way in seconds}
    original = min(seconds["original"])
    reference = outputs["original"]
    yield (
        "| one map 1024x1024, 182 M random weights | best | of the original | processor time | peak memory "
        "| largest difference | RMS |"
    )
    yield "|---|---|---|---|---|---|---|"
    for way, title in WAYS.items():
        if way not in seconds:
            yield f"| {title} | not installed | | | | | |"
            continue
        best = min(seconds[way])
        errors = "| | |"
        if outputs[way].shape == reference.shape and way != "original":
            difference = outputs[way] - reference
            errors = f"| {abs(difference).max():.1e} | {difference.std() / reference.std():.1e} |"
        spent = min(processor[way])
        share = spent / min(processor["original"])
        yield (
            f"| {title} | {best:.2f} s | {best / original:.0%} | {spent:.1f} s, {share:.0%} "
            f"| {peaks[way]:.0f} MB {errors}"
        )


WAYS = {
    "original": "torch modules with gradients, as the original",
    "inference": "the same in inference mode",
    "channels last": "the same in inference mode, channels last",
    "bfloat16": "the same in inference mode, channels last, bfloat16",
    "compiled": "the same in inference mode, torch.compile",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "openvino bf16": "OpenVINO, bfloat16",
    "ours": "ours",
    "half size": "ours, half-size preview",
}

_ONCE = ("inference", "channels last", "bfloat16")
"""Known to lose: measured in the first round only."""
_RUNTIMES = {
    "compiled": (),
    "onnxruntime": ("onnx", "onnxruntime"),
    "openvino": ("onnx", "openvino"),
    "openvino bf16": ("onnx", "openvino"),
}
"""Modules that a way needs and the program does not; their first round is left out, since some compile in it."""


def _ways(path: Path, only: str | None = None) -> dict[str, Callable[[], np.ndarray]]:
    """What each way runs; ``only`` prepares no other."""
    pictures = random_pictures(3, 1024)
    small = np.ascontiguousarray(pictures[..., ::2, ::2])
    ways: dict[str, Callable[[], np.ndarray]] = {}
    if only in (None, "ours", "half size"):
        network = load_network(path, "cpu")
        ways |= {"ours": lambda: run(network, pictures), "half size": lambda: run(network, small)}
    if only not in ("ours", "half size"):
        from safetensors.torch import load_file

        module = plain(load_file(path), FULL)
        source = torch.from_numpy(pictures)
        ways["original"] = lambda: module(source).detach().numpy()[:, 0]
        ways["inference"] = lambda: _inferred(module, source)
        for way, kind in (("channels last", torch.float32), ("bfloat16", torch.bfloat16)):
            if only in (None, way):
                other = plain(load_file(path), FULL).to(kind, memory_format=torch.channels_last)
                picture = source.to(kind, memory_format=torch.channels_last)
                ways[way] = lambda other=other, picture=picture: _inferred(other, picture)
        for way, needed in _RUNTIMES.items():
            if only in (None, way) and installed(*needed):
                ways[way] = _runtime(way, module, source, load_file(path))
    return {way: ways[way] for way in WAYS if way in ways and only in (None, way)}


def _runtime(
    way: str, module: nn.Module, source: torch.Tensor, weights: dict[str, torch.Tensor]
) -> Callable[[], np.ndarray]:
    if way == "compiled":
        return compiled_way(module, source)
    if way == "onnxruntime":
        return onnxruntime_way(weights, FULL, source.numpy())
    return openvino_way(weights, FULL, source.numpy(), "bf16" if way.endswith("bf16") else "f32")


def _inferred(module: nn.Module, pictures: torch.Tensor) -> np.ndarray:
    with torch.inference_mode():
        return module(pictures).float().numpy()[:, 0]


def _interleaved(path: Path) -> tuple[dict[str, list[float]], dict[str, list[float]], dict[str, np.ndarray]]:
    """Wall and processor seconds of each way in each round, and its output. Processor time bears other programs better."""
    ways = _ways(path)
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    processor: dict[str, list[float]] = {way: [] for way in ways}
    outputs = {}
    for turn in range(_REPEATS):
        for way, call in ways.items():
            if turn and way in _ONCE:
                continue
            began, began_processor = time.perf_counter(), time.process_time()
            outputs[way] = call()
            if way in _RUNTIMES and turn == 0:
                continue
            seconds[way].append(time.perf_counter() - began)
            processor[way].append(time.process_time() - began_processor)
    return seconds, processor, outputs


def _peak_mb(path: Path, way: str) -> float:
    """Largest resident size of a process that does nothing else, its libraries included."""
    command = [sys.executable, "-m", "tests.bench.generator", str(path), way]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return float(json.loads(told.splitlines()[-1]))


def _main() -> int:
    """Run one way once and print the peak memory of this process, for ``_peak_mb``."""
    from tests.bench.one_photo import peak_kib

    path, way = Path(sys.argv[1]), sys.argv[2]
    _ways(path, way)[way]()
    sys.stdout.write(json.dumps(peak_kib() / 1024) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(_main())
