"""Where the detectors' points lie on the open pack: found again on known data, and true on heads that took no part."""

from __future__ import annotations

import numpy as np
import pytest

from engine.landmarks import LandmarkDetector
from engine.packs.open_pack import load_open_pack
from engine.training.invented_heads import invented_head
from engine.training.self_calibration import _nearest
from engine.training.studio import Studio, portrait_textures


@pytest.fixture(scope="module")
def pack():
    return load_open_pack()


def test_a_known_shift_of_the_points_is_found():
    """A symmetric grid of vertices 1 mm apart; the detector points 3 mm above the vertices that it names."""
    x, y = np.meshgrid(np.arange(-20.0, 21.0), np.arange(-20.0, 21.0))
    surface = np.column_stack([x.ravel(), y.ravel(), np.zeros(x.size)])
    mirror = np.flatnonzero(np.ones(x.size)).reshape(x.shape)[:, ::-1].ravel()

    def vertex(at):
        return int(np.flatnonzero((surface[:, :2] == at).all(1))[0])

    start = np.array([vertex((-8, 2)), vertex((8, 2)), vertex((0, 0))], np.int32)
    rng = np.random.default_rng(3)
    seen = []
    for _ in range(40):
        scale, shift = rng.uniform(2, 4), rng.uniform(0, 100, 2)
        at = surface[:, :2] * scale + shift
        seen.append((at, at[start] + (0, 3.0 * scale) + rng.normal(0, 0.5, (3, 2)), scale))
    seen.append((at, at[start] + 500.0, scale))  # one that saw something else moves nothing
    found = _nearest(surface, mirror, start, np.array([1, 0, 2]), seen)
    assert found.tolist() == [vertex((-8, 5)), vertex((8, 5)), vertex((0, 3))]


def test_the_map_is_symmetric_and_on_the_skin(pack):
    mirror = pack.topology.mirror
    assert pack.dense_vertices.max() < pack.topology.skin.vertices[1]
    np.testing.assert_array_equal(mirror[pack.dense_vertices], pack.dense_vertices[mirror[:468]])
    assert (pack.dense_vertices != np.arange(468)).mean() > 0.5  # not the cage's own points


@pytest.mark.gl
@pytest.mark.slow
def test_points_lie_nearer_to_their_vertices_than_to_the_cage(pack, ctx):
    """Of heads that are neither in the calibration nor in the benchmark."""
    neutral, deltas = pack.shapes(pack.identity_mean)
    cage = np.arange(468)
    jaw = [172, 136, 150, 149, 397, 365, 379, 378]
    errors = []
    with LandmarkDetector() as detector:
        studio = Studio(ctx, pack.topology, portrait_textures(pack, detector))
        for seed in range(9000, 9004):
            head = invented_head(neutral, deltas, seed, moving=seed % 2 == 1)
            shot = studio.picture(head)
            points = detector.detect(shot.photo).dense + 0.5
            at = shot.positions_px(head.vertices)
            eyes = np.linalg.norm(points[263] - points[33])
            errors.append([np.linalg.norm(at[v] - points, axis=1) / eyes for v in (pack.dense_vertices, cage)])
        studio.release()
    ours, named = np.mean(errors, 0)
    assert ours.mean() < 0.9 * named.mean()
    assert ours[jaw].mean() < 0.75 * named[jaw].mean()
