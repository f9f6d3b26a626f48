"""Train the detail network of the open pack on procedural skin: ``python3 -m engine.training.detail``.

Everything that the weights depend on is in ``TrainingConfig``; the run folder holds checkpoint, log and validation
pictures, and the same command goes on where it was stopped. ``--ship`` writes weights and model card to the resources.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import sys
import time
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.detail.network import DetailNetwork, NetworkConfig
from engine.packs.open_pack import OpenPack, load_open_pack
from engine.training.detail_loss import relief_loss, spread_loss
from engine.training.detail_ship import ship, validation_picture, write_weights
from engine.training.skin.batches import SkinExamples, example_stream
from engine.training.skin.heads import load_heads
from engine.training.skin.samples import DATA_VERSION

_CHANGE = 0.7  # weight of what an expression changes, beside the relief under it

VALIDATION_SEED = 900_001
TRAINING_HEADS = tuple(range(1001, 1017))
VALIDATION_HEADS = (2001, 2002)


@dataclass(frozen=True)
class TrainingConfig:
    """All that the weights depend on, beside the code and the machine."""

    network: NetworkConfig = field(default_factory=NetworkConfig)
    seed: int = 1
    crop: int = 256
    batch: int = 4
    fresh: int = 2
    """New examples per step; the rest of a batch is drawn from the latest ``pool`` ones."""
    pool: int = 1024
    keys: int = 2
    """Key expressions per example."""
    steps: int = 16000
    learning_rate: float = 1.8e-3
    warm_up: int = 40
    weight_decay: float = 1e-4
    mixed: int = 1
    """1 computes in bfloat16 where it can; slow on processors that lack it."""
    average: float = 0.995
    """Decay of the running mean of the weights, which is what ships."""
    heads: tuple[int, ...] = TRAINING_HEADS


@dataclass
class _State:
    """What a checkpoint holds."""

    model: DetailNetwork
    mean: DetailNetwork
    optimizer: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0

    def save(self, path: Path, config: TrainingConfig) -> None:
        content = {
            "model": self.model.state_dict(),
            "mean": self.mean.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "config": json.dumps(asdict(config)),
            "data_version": DATA_VERSION,
        }
        temporary = path.with_suffix(".writing")
        torch.save(content, temporary)
        temporary.replace(path)

    def load(self, path: Path) -> None:
        content = torch.load(path, map_location="cpu", weights_only=True)
        self.model.load_state_dict(content["model"])
        self.mean.load_state_dict(content["mean"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.step, self.seconds = int(content["step"]), float(content["seconds"])
        if content["data_version"] != DATA_VERSION:
            _say(
                f"\nGoing on from data version {content['data_version']} with {DATA_VERSION}: tell the model card (--note).\n"
            )


class Pool:
    """The latest examples, from which batches are drawn."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._planes: dict[str, Tensor] = {}
        self._count = 0

    def add(self, batch: dict[str, Tensor]) -> None:
        """Take in new examples in place of the oldest."""
        for name, plane in batch.items():
            if name not in self._planes:
                self._planes[name] = torch.zeros((self._size, *plane.shape[1:]), dtype=plane.dtype)
            rows = (self._count + torch.arange(len(plane))) % self._size
            self._planes[name][rows] = plane
        self._count += len(batch["texture"])

    def draw(self, rng: np.random.Generator, count: int, newest: int) -> dict[str, Tensor]:
        """``count`` examples: the ``newest`` last ones, the rest from all that are kept."""
        kept = min(self._count, self._size)
        last = (self._count - 1 - np.arange(newest)) % self._size
        rows = torch.as_tensor(np.concatenate([last, rng.integers(0, kept, count - newest)]))
        return {name: plane[rows].float() for name, plane in self._planes.items()}


def losses(model: DetailNetwork, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Loss and errors of a batch; the errors in units of the network's output."""
    reading = model.read(batch["texture"], batch["surface"])
    weight = batch["weight"]
    static = relief_loss(reading.static, batch["static"], weight)
    spread = spread_loss(reading.static - batch["static"], reading.log_spread, weight)
    expressed = static.new_zeros(())
    error = static.new_zeros(())
    K = batch["strain"].shape[1]
    for k in range(K):
        found = model.express(reading, batch["strain"][:, k], batch["guide"][:, k], batch["moved"][:, k])
        expressed = expressed + relief_loss(found, batch["expressed"][:, k], weight) / K
        # The change for itself: in the sum with the relief at rest, whose errors are larger, it would count for little.
        change, true_change = found - reading.static, batch["expressed"][:, k] - batch["static"]
        expressed = expressed + _CHANGE * relief_loss(change, true_change, weight, spectrum=False) / K
        error = error + _rms(found - batch["expressed"][:, k], weight).detach() / K
    return {
        "loss": static + expressed + spread,
        "static": _rms(reading.static - batch["static"], weight).detach(),
        "static_flat": _rms(batch["static"], weight),
        "key": error,
        "key_flat": sum((_rms(batch["expressed"][:, k], weight) for k in range(K)), static.new_zeros(())) / K,
    }


def _rms(error: Tensor, weight: Tensor) -> Tensor:
    return torch.sqrt((error**2 * weight).sum() / (weight.sum() + 1.0))


def _rate(config: TrainingConfig, step: int) -> float:
    """Learning rate: up in a straight line, down in half a cosine."""
    up = min(1.0, (step + 1) / config.warm_up)
    return (
        config.learning_rate * up * (0.02 + 0.98 * 0.5 * (1.0 + float(np.cos(np.pi * min(1.0, step / config.steps)))))
    )


def train(
    config: TrainingConfig,
    folder: Path,
    *,
    workers: int,
    device: str,
    pack: OpenPack,
    every: int = 100,
    minutes: float = math.inf,
) -> Path:
    """Train up to ``config.steps`` and return the checkpoint's path.

    Args:
        config: what to train.
        folder: of the run; a checkpoint in it is gone on from.
        workers: processes that make examples; 0 makes them in this one.
        device: 'cpu' or 'cuda'.
        pack: whose faces carry the skin.
        every: steps between two checkpoints with validation.
        minutes: after these the run stops with a checkpoint, to be gone on from.
    """
    started = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)
    model = DetailNetwork(config.network).to(device)
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    mean = DetailNetwork(config.network).to(device)
    mean.load_state_dict(model.state_dict())
    optimizer = torch.optim.AdamW(
        model.parameters(), config.learning_rate, betas=(0.9, 0.98), weight_decay=config.weight_decay
    )
    state, checkpoint = _State(model, mean, optimizer), folder / "checkpoint.pt"
    if checkpoint.is_file():
        state.load(checkpoint)
    heads = load_heads(pack, config.heads, folder / "heads")
    held_out = load_heads(pack, VALIDATION_HEADS[: min(2, len(config.heads))], folder / "heads")
    validation = _collected(SkinExamples(held_out, VALIDATION_SEED, config.crop, config.keys), 24 if every >= 20 else 2)
    examples = SkinExamples(heads, config.seed, config.crop, config.keys)
    stream = example_stream(examples, state.step * config.fresh, config.fresh, workers)
    pool = Pool(config.pool)
    end = started + 60.0 * minutes
    began, smooth = time.monotonic() - state.seconds, 0.0
    while state.step < config.steps:
        for group in optimizer.param_groups:
            group["lr"] = _rate(config, state.step)
        pool.add(next(stream))
        batch = pool.draw(np.random.default_rng((config.seed, state.step)), config.batch, config.fresh)
        found = _one_step(state, _placed(batch, device), config, device)
        state.step += 1
        state.seconds = time.monotonic() - began
        smooth = found["loss"] if smooth == 0.0 else 0.98 * smooth + 0.02 * found["loss"]
        _say(f"\rstep {state.step}/{config.steps}  loss {smooth:.4f}  {state.seconds / 60:.1f} min")
        late = time.monotonic() > end
        if state.step % every == 0 or state.step == config.steps or late:
            state.save(checkpoint, config)
            _validate(state, validation, folder, device, smooth)
        if late:
            break
    return checkpoint


def _one_step(state: _State, batch: dict[str, Tensor], config: TrainingConfig, device: str) -> dict[str, float]:
    state.model.train()
    with torch.autocast(device, torch.bfloat16, enabled=bool(config.mixed)):
        found = losses(state.model, batch)
    state.optimizer.zero_grad(set_to_none=True)
    found["loss"].backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(state.model.parameters(), 1.0)
    state.optimizer.step()
    decay = min(config.average, (1 + state.step) / (10 + state.step))
    with torch.no_grad():
        for kept, new in zip(state.mean.parameters(), state.model.parameters(), strict=True):
            kept.lerp_(new, 1.0 - decay)
    return {name: float(value.detach()) for name, value in found.items()}


def _placed(batch: dict[str, Tensor], device: str) -> dict[str, Tensor]:
    placed = {name: plane.to(device) for name, plane in batch.items()}
    for name in ("texture", "surface"):
        placed[name] = placed[name].contiguous(memory_format=torch.channels_last)
    return placed


def _collected(examples: SkinExamples, count: int) -> dict[str, Tensor]:
    planes = [examples[i] for i in range(count)]
    return {name: torch.as_tensor(np.stack([p[name] for p in planes])).float() for name in planes[0]}


@torch.no_grad()
def _validate(state: _State, validation: dict[str, Tensor], folder: Path, device: str, loss: float) -> None:
    """Errors on held-out faces into the log, and a picture."""
    total: dict[str, float] = {}
    count = len(validation["texture"])
    for first in range(0, count, 4):
        part = {name: plane[first : first + 4].to(device) for name, plane in validation.items()}
        for name, value in losses(state.mean, part).items():
            total[name] = total.get(name, 0.0) + float(value) * len(part["texture"]) / count
    line = {"step": state.step, "minutes": round(state.seconds / 60, 1), "training_loss": round(loss, 4)}
    line |= {name: round(value, 4) for name, value in total.items()}
    with (folder / "log.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps(line) + "\n")
    _say(f"\n{line}\n")
    shown = {name: plane[:8].to(device) for name, plane in validation.items()}
    validation_picture(state.mean, shown, folder / f"validation_{state.step:06d}.png")


def _say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def hardware(device: str) -> str:
    """The machine in words, for the model card."""
    if device == "cuda":
        return str(torch.cuda.get_device_name())
    return f"{platform.machine()} processor, {torch.get_num_threads()} threads of {os.cpu_count()} cores"


def _widths(text: str) -> tuple[int, int, int, int]:
    a, b, c, d = (int(part) for part in text.split(","))
    return a, b, c, d


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m engine.training.detail", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("out/detail_training"), help="checkpoint, log, pictures")
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    parser.add_argument("--threads", type=int, help="of torch; default: one for each core without a worker")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="stop after these with a checkpoint; the same command goes on"
    )
    parser.add_argument(
        "--ship", action="store_true", help="write the run's weights and model card to resources/models"
    )
    parser.add_argument("--note", default="", help="with --ship: what else the model card shall tell about the run")
    parser.add_argument("--widths", type=_widths, default=NetworkConfig().widths, help="channels, e.g. 24,48,96,128")
    for entry in fields(TrainingConfig):
        if entry.type in ("int", "float"):
            kind = int if entry.type == "int" else float
            parser.add_argument(f"--{entry.name.replace('_', '-')}", type=kind, default=entry.default)
    chosen = vars(parser.parse_args())
    folder, device, threads = chosen.pop("folder"), chosen.pop("device"), chosen.pop("threads")
    workers, shipping, minutes = chosen.pop("workers"), chosen.pop("ship"), chosen.pop("minutes")
    note = chosen.pop("note")
    torch.set_num_threads(threads or max(1, (os.cpu_count() or 2) - workers))
    network = NetworkConfig(widths=chosen.pop("widths"))
    config = TrainingConfig(network=network, **chosen)
    checkpoint = folder / "checkpoint.pt"
    if not shipping:
        checkpoint = train(config, folder, workers=workers, device=device, pack=load_open_pack(), minutes=minutes)
        _say(f"\nweights so far: {write_weights(checkpoint, folder / 'weights.safetensors')}\n")
    else:
        ship(checkpoint, hardware(device), note)
    return 0


if __name__ == "__main__":
    sys.exit(main())
