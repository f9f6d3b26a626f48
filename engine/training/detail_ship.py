"""Pictures of a training run, and its weights with their model card for the resources."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.detail.learned import CARD_FILE, WEIGHTS_FILE
from engine.detail.network import DetailNetwork
from engine.resources import MANIFEST, RESOURCES

_SHOWN_CONTRAST = 45.0


def validation_picture(model: DetailNetwork, batch: dict[str, Tensor], path: Path) -> None:
    """Texture, true and found relief at rest, true and found relief under a key expression, one column an example."""
    import cv2

    with torch.no_grad():
        reading = model.read(batch["texture"], batch["surface"])
        found = model.express(reading, batch["strain"][:, 0], batch["guide"][:, 0], batch["moved"][:, 0])
    colours = (128 + 40 * batch["texture"]).clamp(0, 255).byte().permute(0, 2, 3, 1).cpu().numpy()
    rows = [np.hstack(list(colours))]
    for relief in (batch["static"], reading.static, batch["expressed"][:, 0], found):
        grey = (128 + _SHOWN_CONTRAST * relief[:, 0]).clamp(0, 255).byte().cpu().numpy()
        rows.append(np.repeat(np.hstack(list(grey))[..., None], 3, 2))
    cv2.imwrite(str(path), np.vstack(rows)[..., ::-1])


def write_weights(checkpoint: Path, target: Path) -> Path:
    """The running mean of a checkpoint's weights as a file that the predictor reads."""
    from safetensors.torch import save_file

    content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    weights = {name: value.float().contiguous() for name, value in content["mean"].items()}
    network = json.dumps(json.loads(content["config"])["network"])
    save_file(weights, target, {"network": network, "data_version": str(content["data_version"])})
    target.chmod(0o644)  # safetensors lets nobody else read it
    return target


def ship(checkpoint: Path, hardware: str, note: str = "") -> None:
    """Write weights and model card of a checkpoint to the resources, and both into the manifest.

    Args:
        checkpoint: of the run.
        hardware: what it ran on, in words.
        note: what neither its configuration nor its log tells.
    """
    content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    config = json.loads(content["config"])
    card = RESOURCES / CARD_FILE
    target = write_weights(checkpoint, RESOURCES / WEIGHTS_FILE)
    facts: dict[str, Any] = {
        "name": "Skin detail network of the open pack",
        "made_by": "python3 -m engine.training.detail, then the same with --ship",
        "data": "procedural skin, engine/training/skin; no photo, scan or other person's data",
        "data_version": content["data_version"],
        "config": config,
        "steps": content["step"],
        "hours": round(content["seconds"] / 3600, 2),
        "hardware": hardware,
        "torch": torch.__version__,
        "parameters": sum(value.numel() for value in content["mean"].values()),
        "validation": _last_line(checkpoint.with_name("log.jsonl")),
    }
    if note:
        facts["note"] = note
    card.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    _list((target, card), str(content["data_version"]))


def _last_line(log: Path) -> dict[str, float]:
    lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    return dict(json.loads(lines[-1])) if lines else {}


def _list(files: tuple[Path, ...], version: str) -> None:
    listing = json.loads(MANIFEST.read_text(encoding="utf-8"))
    names = {path.relative_to(RESOURCES).as_posix(): path for path in files}
    listing["files"] = [entry for entry in listing["files"] if entry["path"] not in names]
    for name, path in names.items():
        listing["files"].append(
            {
                "path": name,
                "name": "Skin detail network" if path.suffix == ".safetensors" else "Model card of the detail network",
                "version": version,
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "license": "MIT",
                "source": "python3 -m engine.training.detail",
                "note": "Trained by us on procedural skin alone",
            }
        )
    MANIFEST.write_text(json.dumps(listing, indent=2) + "\n", encoding="utf-8")
