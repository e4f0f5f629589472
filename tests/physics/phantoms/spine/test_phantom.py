"""The spine phantom: its truth is what its volumes show, in any orientation and spacing."""

import pickle
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from lamella.physics.phantoms.spine import spine_phantom
from lamella.physics.vertebra_zones import zone_heights
from lamella.physics.virtual_fracture import FractureSpec
from lamella.records.spine import VERSE_IDS
from spines import spine


@lru_cache(maxsize=2)
def fractured(spacing_mm=3.0, scoliosis_deg=0.0):
    spec = replace(spine().spec, spacing_mm=spacing_mm, scoliosis_deg=scoliosis_deg)
    return spine_phantom(replace(spec, fractures={"L2": FractureSpec(kind="biconcave", loss=0.3)}))


def counted(phantom, level):
    """Zone heights by counting body voxels along columns of the known frame."""
    depth = np.arange(-17.0, 17.1, 0.5)
    width = np.arange(-22.0, 22.1, 1.0)
    up = np.arange(-18.0, 18.0, 0.2)
    grid = np.stack(np.meshgrid(depth, width, up, indexing="ij"), axis=-1)
    places = phantom.frames[level].to_world(grid.reshape(-1, 3))
    back = np.linalg.inv(phantom.labels.affine)
    index = np.rint(places @ back[:3, :3].T + back[:3, 3]).astype(int)
    inside = phantom.bodies[tuple(index.T)].reshape(grid.shape[:3]) == VERSE_IDS[level]
    heights = np.where(inside[:, :, 90], inside.sum(axis=2) * 0.2, np.nan)
    rows, columns = inside[:, :, 90].any(axis=1), inside[:, :, 90].any(axis=0)
    ranges = [(float(a[k][0]), float(a[k][-1])) for a, k in ((depth, rows), (width, columns))]
    return zone_heights(depth, width, heights, ranges[0], ranges[1])


@pytest.mark.parametrize("level", ["L1", "L2", "L3"])
def test_heights_counted_in_the_bodies_are_the_stated_ones(level):
    phantom = fractured(1.0, 10.0)
    for zone, height_mm in counted(phantom, level):
        assert height_mm == pytest.approx(phantom.heights[level].of(zone), abs=0.4), zone


def test_healthy_heights_are_those_of_the_same_person_without_the_fracture():
    hurt, before = fractured(), spine()
    assert hurt.healthy_heights["L2"] == before.heights["L2"]
    assert hurt.heights["L1"] == before.heights["L1"]
    lost = 1 - hurt.heights["L2"].middle / before.heights["L2"].middle
    assert lost == pytest.approx(0.3)


def test_what_is_expected_differs_by_residuals_of_a_few_per_cent():
    residuals = []
    for seed in range(3):
        phantom = spine(seed=seed)
        for level, zones in phantom.healthy_heights.items():
            drawn = np.log([zones.anterior, zones.middle, zones.posterior])
            residuals.append(drawn - phantom.expected_log_heights[level])
    assert 0.012 < np.std(residuals) < 0.06


def test_bodies_lie_in_their_vertebrae_and_centres_in_bodies():
    phantom = spine()
    body = phantom.bodies > 0
    assert np.array_equal(phantom.bodies[body], phantom.labels.ids[body])
    assert phantom.labels.levels == ("L1", "L2", "L3")
    for level, frame in phantom.frames.items():
        index = np.linalg.solve(phantom.ct.affine, np.append(frame.centre_mm, 1.0))[:3]
        assert phantom.bodies[tuple(np.rint(index).astype(int))] == VERSE_IDS[level]


@pytest.mark.parametrize("code", ["LPS", "PIR"])
def test_any_orientation_shows_the_same_spine(code):
    straight, turned = spine(), spine(orientation=code)
    assert turned.ct.shape != straight.ct.shape or code == "LPS"
    voxels = np.argwhere(straight.labels.ids > 0)[::97]
    places = voxels @ straight.ct.affine[:3, :3].T + straight.ct.affine[:3, 3]
    back = np.linalg.inv(turned.ct.affine)
    index = np.rint(places @ back[:3, :3].T + back[:3, 3]).astype(int)
    assert np.array_equal(turned.labels.ids[tuple(index.T)], straight.labels.ids[tuple(voxels.T)])
    np.testing.assert_allclose(turned.ct.hu[tuple(index.T)], straight.ct.hu[tuple(voxels.T)])


def test_anisotropic_voxels_hold_the_same_volume():
    fine, coarse = spine(spacing_mm=1.5), spine(spacing_mm=(1.0, 1.0, 4.0))
    for number in (20, 21):
        volumes = [np.sum(p.bodies == number) * np.prod(p.spec.spacing) for p in (fine, coarse)]
        assert volumes[0] == pytest.approx(volumes[1], rel=0.03)


def test_the_same_spec_gives_the_same_voxels_and_noise_has_its_own_seed():
    again = replace(spine().spec, noise_seed=1)
    assert np.array_equal(spine_phantom(again).ct.hu, spine().ct.hu)
    other = spine(noise_seed=9)
    difference = other.ct.hu - spine().ct.hu
    assert np.std(difference) == pytest.approx(15.0 * np.sqrt(2.0), rel=0.02)
    assert np.array_equal(other.labels.ids, spine().labels.ids)


def test_blur_lowers_the_shell():
    sharp, blurred = (spine(psf_mm=psf, noise_hu=0.0, spacing_mm=1.5) for psf in (0.0, 1.2))
    assert blurred.ct.hu.max() < sharp.ct.hu.max() - 150.0
    assert blurred.ct.hu.mean() == pytest.approx(sharp.ct.hu.mean(), abs=1.0)


def test_a_phantom_and_its_spec_travel_between_processes():
    phantom = pickle.loads(pickle.dumps(spine()))
    assert phantom.heights["L1"] == spine().heights["L1"]
    assert phantom.spec.population.norms == spine().spec.population.norms
