"""A small build of the pack from the shipped portraits: deterministic, symmetric, and loadable like the real one."""

from __future__ import annotations

import io

import numpy as np
import pytest

from engine.packs.open_pack import PACK_FILE, OpenPack
from engine.resources import read_resource
from engine.training import anthropometry, build_open_pack, sources

SMALL = build_open_pack.Settings(identities=4, warps=24, subdivisions=1)
TOLERANCE_MM = 0.05


@pytest.fixture(scope="module")
def shipped():
    with np.load(io.BytesIO(read_resource(PACK_FILE)), allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}


def _build(shipped):
    cage = build_open_pack.cage_of(shipped)
    return build_open_pack.build(cage, sources.shipped_portraits(), sources.network(), SMALL)


@pytest.mark.slow
def test_small_build(shipped, tmp_path):
    first, second = _build(shipped), _build(shipped)
    for name in ("mean", "core", "uvs", "motion"):
        np.testing.assert_allclose(first.arrays[name], second.arrays[name], atol=TOLERANCE_MM, err_msg=name)
    np.testing.assert_array_equal(first.arrays["landmarks"], second.arrays["landmarks"])
    target = build_open_pack.write(first, tmp_path)
    with np.load(target, allow_pickle=False) as archive:
        pack = OpenPack({key: archive[key] for key in archive.files})
    neutral, deltas = pack.shapes(np.zeros(4, np.float32))
    assert len(deltas) == 51
    for name, mean, sd, ours, _ in anthropometry.table(neutral[:468].astype(float)):
        assert abs(ours - mean) < sd, f"{name}: {ours:.1f} mm, published {mean:.1f} +- {sd:.1f}"
    V = pack.topology.skin.vertices[1]
    np.testing.assert_allclose((neutral * (-1, 1, 1))[pack.topology.mirror][:V], neutral[:V], atol=0.02)
    assert "share %" in (tmp_path / "REPORT.md").read_text()
