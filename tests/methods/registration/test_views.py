"""What a visit shows of one bone, and how far each pixel is trusted."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

import exact_visits
from exact_visits import layered
from joints import SPACING_MM
from lamella.methods.registration.views import (
    BORDER_PX,
    LAYER_NOISE,
    LEAST_TRUST,
    PENUMBRA_MM,
    REACH_MM,
    bone_view,
)

NAMES = ("upper", "lower")
OTHER = {"upper": "lower", "lower": "upper"}


def crossed() -> dict[str, np.ndarray]:
    return dict(layered(jsw_mm=-1.0).masks)


@pytest.mark.parametrize("name", NAMES)
def test_without_layers_the_other_bone_counts_for_nothing(name):
    view = bone_view(exact_visits.plain(layered(jsw_mm=-1.0)), name)
    hiding = crossed()[OTHER[name]]
    near = ndimage.distance_transform_edt(~hiding) <= PENUMBRA_MM / SPACING_MM
    assert near.sum() > hiding.sum() > 0
    assert not view.trust[near].any()
    assert not view.detail[near].any()
    alone = crossed()[name] & ~near
    assert (view.trust[alone] > 0).mean() > 0.95


@pytest.mark.parametrize("name", NAMES)
def test_the_overlap_as_it_is_seen_hides_nothing(name):
    visit = exact_visits.plain(layered(jsw_mm=-1.0))
    view = bone_view(visit, name, overlap_as_seen=True)
    assert view.region[visit.masks.overlap].all()
    left_out = bone_view(visit, name)
    assert not left_out.region[visit.masks.overlap].any()
    np.testing.assert_array_equal(view.trust[left_out.region], left_out.trust[left_out.region])


@pytest.mark.parametrize("name", NAMES)
def test_with_layers_the_overlap_counts_but_for_the_other_outline(name):
    view = bone_view(layered(jsw_mm=-1.0), name)
    hiding = crossed()[OTHER[name]]
    deep = ndimage.distance_transform_edt(hiding) > PENUMBRA_MM / SPACING_MM
    inside = deep & crossed()[name]
    assert inside.sum() > 200
    assert (view.trust[inside] > 0.5).all()
    outline = hiding & ~ndimage.binary_erosion(hiding)
    assert not view.trust[outline].any()
    assert not view.trust[hiding & ~crossed()[name]].any()


def test_trust_falls_with_the_uncertainty_of_the_layers():
    visit = layered(jsw_mm=-1.0)
    shaded = np.zeros(visit.radiograph.shape, np.float32)
    shaded[:, 128:] = 0.2
    doubtful = replace(visit, layers=replace(visit.layers, share_sd=shaded))
    sure, unsure = bone_view(visit, "upper").trust, bone_view(doubtful, "upper").trust
    np.testing.assert_array_equal(unsure[:, :128], sure[:, :128])
    bones = sum(visit.layers.bone_absorbance.values())
    known = (sure > 0) & (shaded > 0)
    expected = 1.0 / (1.0 + (0.2 * bones[known] / LAYER_NOISE) ** 2)
    np.testing.assert_allclose(unsure[known] / sure[known], expected, rtol=1e-4)
    assert expected.min() < 0.1


@pytest.mark.parametrize(("name", "sign"), [("upper", 1.0), ("lower", -1.0)])
def test_trust_falls_away_from_the_articular_end(name, sign):
    visit = layered()
    view = bone_view(visit, name)
    arc = visit.ends[name].arc_px
    middle, axis = arc[len(arc) // 2], np.asarray(visit.frame.axis)
    for distance_mm in (1.0, 4.0, 7.0):
        place = middle + sign * distance_mm / SPACING_MM * axis
        (found,) = ndimage.map_coordinates(view.trust, place[:, None], order=1)
        assert found == pytest.approx(np.exp(-0.5 * (distance_mm / REACH_MM) ** 2), abs=0.02)


def test_the_border_and_saturated_pixels_are_not_compared():
    visit = exact_visits.plain(layered())
    row, col = 60, 128
    assert visit.masks["upper"][row, col]
    pixels = visit.radiograph.pixels.copy()
    pixels[row, col] = 1.0
    burnt = replace(visit, radiograph=replace(visit.radiograph, pixels=pixels))
    assert bone_view(visit, "upper").region[row, col]
    view = bone_view(burnt, "upper")
    assert not view.region[row, col]
    assert view.trust[row, col] == view.detail[row, col] == 0.0
    inside = np.s_[BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX]
    assert view.trust[inside].sum() == view.trust.sum()
    assert visit.masks["upper"][:BORDER_PX].any()


def test_the_image_is_the_bone_with_its_soft_tissue_and_without_the_other_bone():
    """Only ``soft + own bone`` matters: what the other layer holds changes nothing."""
    visit = layered(jsw_mm=-1.0)
    bones = dict(visit.layers.bone_absorbance)
    changed = bones | {"lower": np.asarray(2.0 * bones["lower"], np.float32)}
    other = replace(visit, layers=replace(visit.layers, bone_absorbance=changed))
    first, second = bone_view(visit, "upper"), bone_view(other, "upper")
    np.testing.assert_array_equal(first.detail, second.detail)
    assert np.abs(bone_view(other, "lower").detail - bone_view(visit, "lower").detail).max() > 0.01


def test_exposure_is_a_gain_and_an_even_veil_is_nothing():
    visit = layered()
    layers = visit.layers
    plain = bone_view(visit, "upper")
    brighter = replace(
        layers,
        soft_absorbance=np.asarray(1.3 * layers.soft_absorbance + 0.2, np.float32),
        bone_absorbance={
            name: np.asarray(1.3 * bone, np.float32)
            for name, bone in layers.bone_absorbance.items()
        },
    )
    view = bone_view(replace(visit, layers=brighter), "upper")
    np.testing.assert_allclose(view.detail, 1.3 * plain.detail, atol=2e-6)


def test_smooth_soft_tissue_is_removed():
    """A slope of 0.4 in absorbance over the whole image leaves a tenth of it at most."""
    visit = layered()
    slope = np.broadcast_to(np.linspace(0.0, 0.4, 256, dtype=np.float32), (256, 256))
    veiled = replace(
        visit,
        layers=replace(visit.layers, soft_absorbance=visit.layers.soft_absorbance + slope),
    )
    left = bone_view(veiled, "lower").detail - bone_view(visit, "lower").detail
    region = bone_view(visit, "lower").region
    assert left[region].std() < 0.1 * slope[region].std()


def test_levels_smooth_within_the_bone():
    view = bone_view(layered(), "lower")
    coarse, fine = view.level(0.3), view.level(0.08)
    assert coarse.smooth_px == pytest.approx(0.3 / SPACING_MM)
    trusted = view.trust > 0.5
    assert coarse.image[trusted].std() < fine.image[trusted].std() < view.detail[trusted].std()
    for level in (coarse, fine):
        assert not level.image[~view.region].any()
        down = np.diff(level.image, axis=0)
        np.testing.assert_allclose(level.slopes[0][1:-1], 0.5 * (down[1:] + down[:-1]), atol=1e-6)
        places = np.stack(np.nonzero(trusted)).astype(np.float64)
        values = ndimage.map_coordinates(level.spline, places, order=3, prefilter=False)
        np.testing.assert_allclose(values, level.image[trusted], atol=1e-5)


def test_the_pixels_and_the_centre_are_those_of_the_trust():
    view = bone_view(layered(), "upper")
    rows, cols = view.pixels
    assert (view.trust[rows, cols] > LEAST_TRUST).all()
    assert len(rows) == (view.trust > LEAST_TRUST).sum()
    weighted = [np.average(each, weights=view.trust) for each in np.indices((256, 256))]
    assert view.centre_px == pytest.approx(weighted, abs=1e-3)


def test_an_unknown_spacing_is_the_nominal_one():
    visit = layered()
    unknown = replace(visit, radiograph=replace(visit.radiograph, pixel_spacing_mm=None))
    assert bone_view(unknown, "upper").spacing_mm == pytest.approx(0.082, abs=0.002)
