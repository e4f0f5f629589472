"""A vertebra in its own voxels and a shape between the drawn one and its own."""

from dataclasses import replace

import numpy as np
import pytest

from lamella.methods.healthivert.channels import SHAPE
from lamella.methods.healthivert.gap import site_of
from lamella.methods.healthivert.own import in_own_voxels, own_content, signed_distance, sized
from lamella.methods.healthivert.paste import Content
from lamella.methods.healthivert.shape import drawing_of, zones_of
from lamella.records import ZONES, LamellaError
from spines import alike, zones
from straight_spines import DEPTH_MM, HU, WIDTH_MM, Block, drawn_body, spine

WANTED = alike(24.0)
NARROWER_MM = 8.0


@pytest.fixture(scope="module")
def straight():
    return spine({"T12": Block(), "L1": Block(front_mm=15.0, back_mm=18.0), "L2": Block()})


@pytest.fixture(scope="module")
def drawn(straight):
    """A body as tall as wanted, 8 mm narrower than the one that is there."""
    narrow = drawn_body(24.0, 24.0)
    cut = int(NARROWER_MM / 2 + SHAPE[0] / 2 - WIDTH_MM / 2)
    narrow[:cut], narrow[SHAPE[0] - cut :] = 0.0, 0.0
    site = site_of(straight, "L1", 24.0)
    return Content(site=site, hu=np.full(SHAPE, -7.0, np.float32), probability=narrow)


def width_of(content: Content) -> float:
    """Of the middle cross-section, half a sample either side of one half counted in part."""
    return float(content.probability[:, 80, 47].sum())


@pytest.mark.parametrize("part", [0.0, 0.25, 0.5, 1.0])
def test_the_shape_lies_between_both(straight, drawn, part):
    made = in_own_voxels(straight, drawn, WANTED, part)
    assert width_of(made) == pytest.approx(WIDTH_MM - part * NARROWER_MM, abs=1.0)
    front_to_back = float(made.probability[31, 80].sum())
    assert front_to_back == pytest.approx(DEPTH_MM, abs=1.0)


@pytest.mark.parametrize("part", [0.0, 0.5, 1.0])
def test_it_has_the_wanted_heights_whatever_the_fracture(straight, drawn, part):
    wanted = zones(25.0, 23.5, 24.5)
    made = in_own_voxels(straight, drawn, wanted, part)
    found = zones_of(drawing_of(made.probability, straight, made.site))
    assert [found.of(zone) for zone in ZONES] == pytest.approx(
        [wanted.of(zone) for zone in ZONES], abs=0.25
    )


def test_its_voxels_are_its_own(straight, drawn):
    made = in_own_voxels(straight, drawn, WANTED, 0.5)
    assert np.median(made.hu[made.probability > 0.5]) == pytest.approx(HU["body"], abs=1.0)


def test_at_its_own_height_it_stays_as_it_is(straight):
    own = own_content(straight, site_of(straight, "T12", 24.0))
    same = sized(straight, own, zones_of(drawing_of(own.probability, straight, own.site)))
    inside = own.probability > 0.5
    assert (inside != (same.probability > 0.5)).sum() < 0.02 * inside.sum()


def test_distance_to_a_ball_is_the_radius_less_the_way_to_its_middle():
    places = np.stack(np.meshgrid(*(np.arange(41.0) - 20.0 for _ in range(3)), indexing="ij"))
    away = np.sqrt(np.square(places).sum(axis=0))
    found = signed_distance((away < 12.3).astype(np.float32))
    shell = (away > 6.0) & (away < 18.0)
    error = (found - (12.3 - away))[shell]
    assert np.sqrt(np.square(error).mean()) < 0.3
    assert np.abs(error).max() < 1.0
    assert np.abs(error.mean()) < 0.1


def test_labels_alone_are_refused(straight, drawn):
    with pytest.raises(LamellaError, match="labels alone"):
        in_own_voxels(replace(straight, hu=None), drawn, WANTED, 0.5)
