"""A face of the embedded model without a photo: flat texture, no relief."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.packs.open_pack import load_open_pack
from engine.types import FaceAsset, RigBasis, SkinTexture
from tests.synthetic import make_asset


def face_of(rig: RigBasis) -> FaceAsset:
    """The person of ``rig`` in the pack's plain colours."""
    pack = load_open_pack()
    n = pack.topology.window.map_size
    fit = replace(make_asset().fit, identity=np.zeros(50, np.float32), landmark_vertices=pack.landmark_vertices.copy())
    return replace(
        make_asset(keys=False),
        topology=pack.topology,
        fit=fit,
        rig=rig,
        texture=SkinTexture(pack.base_texture.copy(), np.ones((n, n), np.float32)),
        static_map=np.zeros((n, n), np.float32),
        confidence=np.zeros((n, n), np.float32),
    )
