"""Projection of a CT per label: path lengths, mass and layers that add up."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from lamella.physics.attenuation import WATER_MU_PER_MM, detector_for, hu_to_mu, project
from lamella.physics.formation import absorbance, split_by_shares
from lamella.records import CTVolume, LamellaError, SpineLabels
from spines import spine

FRONT = np.array([0.0, -1.0, 0.0])
OBLIQUE = np.array([0.3, -0.6, -0.74])


def box_of_water():
    """A water cube of 20 mm in air, its lower half labelled L1."""
    hu = np.full((24, 24, 24), -1000.0, np.float32)
    hu[2:22, 2:22, 2:22] = 0.0
    ids = np.zeros(hu.shape, np.uint8)
    ids[2:22, 2:22, 2:12] = 20
    return CTVolume(hu=hu, affine=np.eye(4)), SpineLabels(ids=ids, affine=np.eye(4))


@lru_cache
def projected():
    phantom = spine(levels=("T12", "L1"), spacing_mm=2.5)
    return project(phantom.ct, phantom.labels, OBLIQUE)


def test_hounsfield_units_become_attenuation():
    found = hu_to_mu(np.array([-2000.0, -500.0, 1000.0]))
    np.testing.assert_allclose(found, np.array([0.0, 0.5, 2.0]) * WATER_MU_PER_MM, rtol=1e-6)


def test_a_ray_through_water_is_absorbed_by_its_length():
    shadow = project(*box_of_water(), FRONT)
    down = 24 - 6  # rows run down: this one crosses the lower half
    centre = shadow.absorbance.shape[1] // 2
    assert shadow.vertebrae["L1"][down, centre] == pytest.approx(20.0 * WATER_MU_PER_MM, rel=1e-4)
    assert shadow.soft[down, centre] == pytest.approx(0.0, abs=1e-6)
    assert shadow.paths_mm["L1"][down, centre] == pytest.approx(20.0, rel=1e-4)
    assert shadow.soft[8, centre] == pytest.approx(20.0 * WATER_MU_PER_MM, rel=1e-4)


def test_a_slanted_ray_through_a_slab_is_longer():
    hu = np.full((40, 12, 40), -1000.0, np.float32)
    hu[:, 2:10] = 0.0
    ids = np.zeros(hu.shape, np.uint8)
    ids[0, 0, 0] = 20
    ct, labels = CTVolume(hu=hu, affine=np.eye(4)), SpineLabels(ids=ids, affine=np.eye(4))
    for angle in (0.0, 0.3, 0.6):
        shadow = project(ct, labels, np.array([0.0, -np.cos(angle), -np.sin(angle)]))
        middle = shadow.absorbance[tuple(np.array(shadow.absorbance.shape) // 2)]
        assert middle == pytest.approx(8.0 * WATER_MU_PER_MM / np.cos(angle), rel=0.02)


def test_layers_add_up_to_the_line_integrals_of_the_whole_volume():
    phantom = spine(levels=("T12", "L1"), spacing_mm=2.5)
    unlabelled = np.zeros_like(phantom.labels.ids)
    unlabelled[0, 0, 0] = 1
    whole = project(phantom.ct, replace(phantom.labels, ids=unlabelled), OBLIQUE)
    np.testing.assert_allclose(projected().absorbance, whole.absorbance, atol=1e-5)


def test_each_vertebra_keeps_its_mass_from_any_side():
    phantom = spine(levels=("T12", "L1"), spacing_mm=2.5)
    inside = phantom.labels.ids == 20
    mass = float(hu_to_mu(phantom.ct.hu)[inside].sum()) * 2.5**3
    for shadow in (projected(), project(phantom.ct, phantom.labels, FRONT)):
        found = float(shadow.vertebrae["L1"].sum()) * shadow.detector.pixel_mm**2
        assert found == pytest.approx(mass, rel=0.01)


def test_overlapping_vertebrae_come_apart_by_true_shares():
    layers = projected().layers()
    assert layers.masks.overlap.sum() > 100
    assert np.abs(layers.residual()).max() < 1e-6
    observed = absorbance(layers.radiograph.pixels.astype(np.float64), layers.radiograph.grey_level)
    bones = np.stack(list(layers.bone_absorbance.values())).astype(np.float64)
    total = bones.sum(axis=0)
    shares = np.where(total > 0, bones / np.maximum(total, 1e-12), 0.0)
    soft, apart = split_by_shares(observed, layers.soft_absorbance.astype(np.float64), shares)
    np.testing.assert_allclose(soft + apart.sum(axis=0), observed, atol=1e-12)
    np.testing.assert_allclose(apart, bones, atol=5e-6)


def test_a_displayed_radiograph_is_one_factor_of_the_absorbance():
    layers = projected().layers(brightest=2.0)
    assert layers.radiograph.pixels.max() == pytest.approx(1 - np.exp(-2.0), rel=1e-4)
    factor = layers.soft_absorbance.max() / projected().soft.max()
    np.testing.assert_allclose(
        layers.bone_absorbance["L1"], factor * projected().vertebrae["L1"], rtol=1e-5
    )


def test_from_the_front_the_patients_right_is_left_and_down_is_down():
    phantom = spine(levels=("T12", "L1"), spacing_mm=2.5)
    detector = detector_for(phantom.ct, FRONT)
    np.testing.assert_allclose(detector.right, [-1.0, 0.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(detector.down, [0.0, 0.0, -1.0], atol=1e-12)
    shadow = project(phantom.ct, phantom.labels, FRONT)
    rows = {level: np.argwhere(mask)[:, 0].mean() for level, mask in shadow.masks.items()}
    assert rows["T12"] < rows["L1"]


def test_an_axial_view_has_the_back_below():
    detector = detector_for(spine().ct, np.array([0.0, 0.0, -2.0]))
    np.testing.assert_allclose(detector.down, [0.0, -1.0, 0.0], atol=1e-12)
    assert np.linalg.norm(detector.direction) == pytest.approx(1.0)


def test_labels_of_another_grid_and_no_direction_are_refused():
    ct, labels = box_of_water()
    with pytest.raises(LamellaError, match="on the CT's grid"):
        project(ct, replace(labels, affine=np.diag([1.0, 1.0, 2.0, 1.0])), FRONT)
    with pytest.raises(LamellaError, match="length 0"):
        project(ct, labels, np.zeros(3))
