"""A drawn vertebra: labels at the implicit surface, shell bright, inside cancellous."""

from functools import lru_cache

import numpy as np
import pytest

from lamella.physics.phantoms.spine import SpinePhantomSpec
from lamella.physics.phantoms.spine.arch import arch, arch_sizes
from lamella.physics.phantoms.spine.body import ROUNDING_MM, rounded_minimum
from lamella.physics.phantoms.spine.bone import extent_mm, parts_of
from lamella.physics.phantoms.spine.column import column
from lamella.physics.phantoms.spine.grid import grid_around
from lamella.records.spine import VERSE_IDS
from spines import spine

FIELDS = {"levels": ("L1", "L2"), "spacing_mm": 1.5, "noise_hu": 0.0, "texture_hu": 0.0}


@lru_cache
def vertebrae():
    spec = SpinePhantomSpec(**(FIELDS | {"seed": 1}))
    drawn = spec.population.draw(np.random.default_rng(spec.rng_seed(0)), spec.levels)
    return column(spec, drawn)


def places(phantom):
    index = np.indices(phantom.ct.shape).reshape(3, -1).T
    return index @ phantom.ct.affine[:3, :3].T + phantom.ct.affine[:3, 3]


def test_bodies_are_the_voxels_whose_centres_lie_inside_the_surface():
    phantom = spine(**FIELDS)
    for vertebra in vertebrae():
        local = vertebra.frame.from_world(places(phantom))
        deep = rounded_minimum(*vertebra.body.distances(tuple(local.T)), ROUNDING_MM)
        drawn = phantom.bodies.ravel() == VERSE_IDS[vertebra.level]
        assert np.array_equal(drawn[np.abs(deep) > 1e-3], (deep > 0)[np.abs(deep) > 1e-3])


def test_whole_vertebrae_are_body_and_arch():
    phantom = spine(**FIELDS)
    vertebra = vertebrae()[0]
    local = tuple(vertebra.frame.from_world(places(phantom)).astype(np.float32).T)
    deep = np.max([strut.distance(local) for strut in arch(arch_sizes(vertebra))], axis=0)
    mine = phantom.labels.ids.ravel() == VERSE_IDS["L1"]
    body = phantom.bodies.ravel() == VERSE_IDS["L1"]
    other = phantom.labels.ids.ravel() == VERSE_IDS["L2"]
    expected = (deep > 1e-3) & ~other
    assert mine[expected].all()
    assert not mine[(deep < -1e-3) & ~body].any()


def test_shell_is_bright_and_inside_is_cancellous():
    phantom = spine(**FIELDS)
    frame = phantom.frames["L1"]
    up = np.arange(-20.0, 20.0, 0.5)
    line = frame.to_world(np.stack([0 * up, 0 * up, up], axis=1))
    index = np.rint((line - phantom.ct.affine[:3, 3]) / 1.5).astype(int)
    hu = phantom.ct.hu[tuple(index.T)]
    assert hu[np.abs(up) < 6.0] == pytest.approx(150.0, abs=3.0)
    edges = np.abs(np.abs(up) - phantom.heights["L1"].middle / 2) < 1.5
    assert hu[edges & (up > 0)].max() > 280.0
    assert hu[edges & (up < 0)].max() > 280.0


def test_boxes_hold_the_whole_vertebra():
    vertebra = vertebrae()[0]
    points = extent_mm(vertebra)
    grid = grid_around(points, (2.0, 2.0, 2.0), 4.0)
    parts = parts_of(vertebra, grid)
    assert all(s.start > 0 and s.stop < n for s, n in zip(parts.box, grid.shape, strict=True))
    for inner in (parts.body_box, *parts.strut_boxes):
        assert all(a.start >= b.start and a.stop <= b.stop
                   for a, b in zip(inner, parts.box, strict=True))  # fmt: skip
