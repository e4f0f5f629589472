"""The vertebra cut out, the neighbours pushed apart."""

from dataclasses import replace

import numpy as np
import pytest

from lamella.methods.healthivert.channels import (
    FIRST_GAP_ROW,
    GAP_ROWS,
    LAST_GAP_ROW,
    MIDDLE_ROW,
    SHAPE,
    Plane,
)
from lamella.methods.healthivert.gap import (
    centred,
    centred_rows_of,
    cut_out,
    extent,
    gap_rows_of,
    in_gap,
    pushed_apart,
    row_spacing_mm,
    site_of,
    soft_body,
)
from lamella.physics.virtual_fracture import OUTSIDE_HU
from lamella.records import LamellaError
from lamella.records.spine import VERSE_IDS
from straight_spines import DISC_MM, HU, Block, spine

BLOCKS = {"T12": Block(), "L1": Block(front_mm=16.0), "L2": Block()}
L1 = VERSE_IDS["L1"]


@pytest.fixture(scope="module")
def straight():
    return spine(BLOCKS)


def test_the_extent_is_that_of_the_central_part_whatever_sticks_out_at_the_rim():
    body = np.zeros((40, 60, 30), bool)
    body[:, 20:44] = True
    assert extent(body) == pytest.approx((19.5, 43.5), abs=0.01)
    body[:, 12:52, :3] = True
    body[:, 30:50, 27:] = True
    assert extent(body) == pytest.approx((19.5, 43.5), abs=0.01)


def test_the_extent_of_a_tilted_body_follows_its_tilt_between_rows():
    rows, back = np.arange(60.0)[:, None], np.arange(30.0)
    extents = [
        extent(np.broadcast_to((rows > 20 + s * back) & (rows < 40 + s * back), (20, 60, 30)))
        for s in (0.10, 0.12)
    ]
    moved = np.subtract(*extents[::-1])
    assert 0.0 < moved[0] < moved[1] < 0.02 * 30


def test_a_body_of_another_spacing_has_the_same_extent_in_mm():
    fine = site_of(spine(BLOCKS, spacing_mm=0.8), "L1")
    coarse = site_of(spine(BLOCKS), "L1")
    assert fine.extent_mm == pytest.approx(coarse.extent_mm, abs=0.8)
    assert fine.left_span == pytest.approx(coarse.left_span, abs=0.8)


def test_the_gap_holds_nothing_and_is_always_as_tall(straight):
    for level in BLOCKS:
        gap = cut_out(straight, level, 24.0)
        rows = in_gap(np.arange(SHAPE[1]))
        assert rows.sum() == GAP_ROWS
        assert (gap.hu[:, rows] == OUTSIDE_HU).all()
        assert not gap.ids[:, rows].any()
        assert not (gap.bodies == VERSE_IDS[level]).any()


def test_the_true_height_is_hidden(straight):
    def around(front_mm):
        blocks = BLOCKS | {"L1": Block(front_mm=front_mm, back_mm=front_mm)}
        return cut_out(spine(blocks), "L1", 24.0)

    tall, short = around(26.0), around(18.0)
    assert np.array_equal(tall.hu, short.hu)
    assert np.array_equal(tall.ids, short.ids)


def test_what_lies_next_to_the_extent_lies_next_to_the_gap():
    gap = cut_out(spine(dict.fromkeys(BLOCKS, Block())), "L1", 24.0)
    middle = gap.hu[31, :, 47]
    assert middle[FIRST_GAP_ROW - 1] == pytest.approx(HU["disc"])
    above = np.flatnonzero(middle[:FIRST_GAP_ROW] == HU["body"])[-1]
    assert FIRST_GAP_ROW - 1 - above == pytest.approx(DISC_MM, abs=1.5)
    below = LAST_GAP_ROW + np.flatnonzero(middle[LAST_GAP_ROW:] == HU["body"])[0]
    assert below - LAST_GAP_ROW - 1 == pytest.approx(DISC_MM, abs=1.5)


def test_the_shift_says_where_each_row_was(straight):
    site = site_of(straight, "L1")
    shown = (np.arange(SHAPE[1]) - MIDDLE_ROW) * site.row_mm
    was = (gap_rows_of(site) - site.centre) * straight.spacing_mm
    outside = ~in_gap(np.arange(SHAPE[1]))
    assert was[outside] + site.down_shift_mm[outside] == pytest.approx(shown[outside])
    assert np.isnan(site.down_shift_mm[~outside]).all()
    assert site.push_rows == pytest.approx((40 - site.extent_rows) / 2)


def test_the_centred_frame_is_the_spine_as_it_is(straight):
    site = site_of(straight, "L1")
    box = centred(straight, site)
    rows = centred_rows_of(site)
    assert rows.mean() == pytest.approx(site.centre)
    assert (box.bodies == L1).sum() == (straight.bodies == L1).sum()
    assert box.hu[31, 0, 47] == straight.hu[site.left, round(rows[0]), site.back]


def test_a_soft_body_keeps_its_surfaces_between_rows(straight):
    site = replace(site_of(straight, "T12"), upper=100.3, lower=124.3)
    soft = soft_body(straight, site)
    columns = (straight.bodies == VERSE_IDS["T12"]).sum(axis=1)
    assert soft.sum() == pytest.approx(columns.sum(), rel=1e-4)
    assert ((soft > 0.05) & (soft < 0.95)).any()


def test_tall_bodies_are_sampled_coarser_so_that_the_gap_holds_them():
    assert row_spacing_mm(30.0) == 1.0
    assert row_spacing_mm(30.0, 38.0) == pytest.approx(1.15 * 38 / 40)
    tall = spine({"L1": Block(), "L2": Block(front_mm=38.0, back_mm=38.0), "L3": Block()})
    site = site_of(tall, "L2")
    assert site.row_mm * GAP_ROWS == pytest.approx(1.15 * site.extent_mm)
    assert site.extent_rows < GAP_ROWS
    assert (centred(tall, site).bodies == VERSE_IDS["L2"])[31, :, 47].sum() == pytest.approx(
        site.extent_rows, abs=1.0
    )


def test_padding_is_air_where_the_spine_ends():
    short = spine({"L1": Block()})
    site = site_of(short, "L1")
    cut = replace(short, hu=short.hu[:, 70:], ids=short.ids[:, 70:], bodies=short.bodies[:, 70:])
    moved = site_of(cut, "L1")
    assert moved.extent_mm == pytest.approx(site.extent_mm)
    assert (cut_out(cut, "L1").hu[:, :40] == OUTSIDE_HU).all()


def test_a_map_is_pushed_apart_as_the_ct_is(straight):
    ramp = np.arange(straight.ids.shape[1], dtype=np.float32)[None, :, None]
    ramped = replace(straight, hu=np.array(np.broadcast_to(ramp, straight.ids.shape)))
    site = site_of(ramped, "L1", 24.0)
    pushed = pushed_apart(centred(ramped, site).hu, site, OUTSIDE_HU)
    gap = cut_out(ramped, "L1", 24.0)
    inner = slice(20, SHAPE[1] - 20)
    assert np.abs(pushed - gap.hu)[:, inner].max() < 1e-3


def test_spans_follow_the_body(straight):
    site = site_of(straight, "L1")
    for plane, axes in ((Plane.SAGITTAL, (1, 2)), (Plane.CORONAL, (0, 1))):
        there = np.flatnonzero((centred(straight, site).bodies == L1).any(axis=axes))
        assert site.span(plane) == (there[0], there[-1])


def test_labels_alone_and_absent_levels_are_refused(straight):
    with pytest.raises(LamellaError, match="no body of T4"):
        cut_out(straight, "T4")
    with pytest.raises(LamellaError, match="labels alone"):
        cut_out(replace(straight, hu=None), "L1")
