"""A drawn vertebra in the straight spine; the shift and its undoing."""

from dataclasses import replace

import numpy as np
import pytest

from lamella.methods.healthivert.channels import SHAPE
from lamella.methods.healthivert.gap import site_of, soft_body
from lamella.methods.healthivert.paste import Content, restored, shift_of, undone
from lamella.methods.healthivert.shape import drawing_of, matched, zones_of
from lamella.records import LamellaError
from lamella.records.spine import VERSE_IDS
from lamella.records.vertebra import Zones
from straight_spines import Block, drawn_body, spine

BLOCKS = {"T12": Block(), "L1": Block(front_mm=15.0, back_mm=18.0), "L2": Block()}
L1 = VERSE_IDS["L1"]
WANTED = Zones(anterior=24.0, middle=24.0, posterior=24.0, whole=24.0)
DRAWN_HU = 321.0


@pytest.fixture(scope="module")
def straight():
    return spine(BLOCKS)


@pytest.fixture(scope="module")
def content(straight):
    return content_of(straight)


def content_of(straight, level="L1"):
    site = site_of(straight, level, 24.0)
    hu = np.full(SHAPE, DRAWN_HU, np.float32)
    return Content(site=site, hu=hu, probability=drawn_body(21.3, 22.6))


def test_the_restored_vertebra_has_the_wanted_heights(straight, content):
    made = restored(straight, content, WANTED)
    columns = (made.straight.bodies == L1)[40:57, :, 32:49].sum(axis=1)
    assert columns.mean() == pytest.approx(24.0, abs=0.6)
    observed = (straight.bodies == L1)[40:57, :, 32:49].sum(axis=1)
    assert observed.mean() < 17.5


@pytest.mark.parametrize("radius_mm", [None, 220.0])
@pytest.mark.parametrize("spacing_mm", [1.0, 0.8])
def test_growth_pushes_half_up_and_half_down(radius_mm, spacing_mm):
    straight = spine(BLOCKS, radius_mm, spacing_mm)
    content = content_of(straight)
    fitted, _ = matched(drawing_of(content.probability, straight, content.site), WANTED)
    shift = shift_of(fitted, straight.ids.shape[1])
    upper, lower = fitted.extent
    growth = (lower - upper) * content.site.row_mm - content.site.extent_mm
    assert growth > 4.0
    assert (shift[0], shift[-1]) == pytest.approx((-growth / 2, growth / 2))
    centre = content.site.centre
    assert np.interp(centre, np.arange(len(shift)), shift) == pytest.approx(0.0, abs=1e-9)
    assert (np.diff(np.arange(len(shift)) * spacing_mm - shift) > 0).all()


def test_neighbours_move_by_the_shift_and_keep_their_height(straight, content):
    made = restored(straight, content, WANTED)
    for level, end in (("T12", 0), ("L2", -1)):
        was, now = (
            np.flatnonzero((s.bodies == VERSE_IDS[level]).any(axis=(0, 2)))
            for s in (straight, made.straight)
        )
        assert abs(len(now) - len(was)) <= 1
        assert now.mean() - was.mean() == pytest.approx(made.shift_down_mm[end], abs=0.6)


def test_the_drawn_shows_in_the_body_and_the_observed_far_from_it(straight, content):
    made = restored(straight, content, WANTED)
    body = made.straight.bodies == L1
    assert made.straight.hu[body].mean() == pytest.approx(DRAWN_HU, abs=8.0)
    assert np.median(made.straight.hu[body]) == pytest.approx(DRAWN_HU, abs=1e-3)
    arch = (made.straight.ids == L1) & ~body
    assert arch.sum() > (straight.ids == L1).sum() - (straight.bodies == L1).sum()
    assert np.median(made.straight.hu[arch]) == pytest.approx(400.0)


def test_a_vertebra_pasted_as_it_is_changes_next_to_nothing(straight):
    site = site_of(straight, "T12", 24.0)
    own = Content(
        site=site,
        hu=np.full(SHAPE, 200.0, np.float32),
        probability=soft_body(straight, site),
    )
    made = restored(straight, own, zones_of(drawing_of(own.probability, straight, site)))
    assert made.shift_down_mm == pytest.approx(0.0, abs=0.2)
    was, now = straight.ids == VERSE_IDS["T12"], made.straight.ids == VERSE_IDS["T12"]
    assert (was != now).sum() < 0.01 * was.sum()


def test_undone_puts_every_row_outside_the_vertebra_back(straight, content):
    ramp = np.broadcast_to(
        np.arange(straight.ids.shape[1], dtype=np.float32)[:, None], straight.ids.shape
    )
    made = restored(replace(straight, hu=np.array(ramp)), content, WANTED)
    back = undone(made)
    edge = np.abs(np.arange(ramp.shape[1]) - ramp.shape[1] / 2) < ramp.shape[1] / 2 - 6
    far = edge & (np.abs(np.arange(ramp.shape[1]) - content.site.centre) > 20.0)
    assert np.abs(back.straight.hu - ramp)[:, far].max() < 0.05
    assert np.abs(made.straight.hu[:, far] - ramp[:, far]).min() > 2.0
    assert not back.shift_down_mm.any()
    same = back.straight.ids[:, far] == straight.ids[:, far]
    assert same.mean() > 0.995


def test_the_middle_of_the_vertebra_never_moves(straight, content):
    made = restored(straight, content, WANTED)
    rows = np.flatnonzero((made.straight.ids == L1)[48, :, 40])
    assert rows.mean() == pytest.approx(content.site.centre, abs=0.6)


def test_what_belonged_to_the_observed_body_alone_is_not_the_vertebras(straight, content):
    smaller = Zones(anterior=10.0, middle=10.0, posterior=10.0, whole=10.0)
    made = restored(straight, content, smaller)
    assert made.shift_down_mm[0] > 0 > made.shift_down_mm[-1]
    assert (made.straight.bodies == L1).sum() < 0.75 * (straight.bodies == L1).sum()
    assert ((made.straight.bodies == L1) <= (made.straight.ids == L1)).all()


def test_labels_alone_are_refused(straight, content):
    with pytest.raises(LamellaError, match="labels alone"):
        restored(replace(straight, hu=None), content, WANTED)
