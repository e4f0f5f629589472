"""Generation of a vertebra, with runners that draw a known one."""

from dataclasses import replace

import numpy as np
import pytest

from lamella.methods.healthivert.channels import (
    SHAPE,
    Channel,
    Map,
    Plane,
    slices_of,
    windowed,
)
from lamella.methods.healthivert.gap import cut_out, in_gap, site_of
from lamella.methods.healthivert.infer import (
    Networks,
    adjacent,
    attention,
    generate,
)
from lamella.methods.healthivert.paste import restored
from lamella.methods.healthivert.shape import drawing_of, zones_of
from lamella.records import LamellaError
from lamella.records.spine import VERSE_IDS
from lamella.records.vertebra import ZONES, Zones
from straight_spines import Block, drawn_body, spine

BLOCKS = {
    "T11": Block(),
    "T12": Block(front_mm=15.0),
    "L1": Block(front_mm=16.0),
    "L2": Block(),
}
PRIOR = Zones(anterior=24.0, middle=24.0, posterior=24.0, whole=24.0)
GREY = 0.25


def told(zone_mm):
    return Zones(anterior=zone_mm, middle=zone_mm, posterior=zone_mm, whole=zone_mm)


class Painter:
    """Draws one body in every box; knows its slice by the offset channel, keeps what it saw."""

    def __init__(self, plane, front_mm=23.0, back_mm=23.0, extent_rows=25.0):
        self.slices = slices_of(drawn_body(front_mm, back_mm), plane)
        self.plane, self.extent_rows = plane, extent_rows
        self.seen = []

    def __call__(self, seen):
        self.seen.append(seen)
        maps = np.full((len(seen), 4, *seen.shape[2:]), GREY, np.float32)
        maps[:, [Map.FINE_SEG, Map.COARSE_SEG]] = 0.0
        half, middle = (20.0, 31.0) if self.plane is Plane.SAGITTAL else (16.0, 47.0)
        for index, slice_ in enumerate(seen):
            place = round(float(slice_[Channel.OFFSET, 0, 0]) * half + middle)
            maps[index, Map.FINE_SEG] = self.slices[place]
        return maps, np.full((len(seen), 2), self.extent_rows, np.float32)


@pytest.fixture(scope="module")
def straight():
    return spine(BLOCKS)


def networks(**settings):
    return Networks(
        sagittal=Painter(Plane.SAGITTAL, **settings), coronal=Painter(Plane.CORONAL, **settings)
    )


def test_what_both_networks_draw_is_drawn(straight):
    made = generate(straight, "L1", PRIOR, networks())
    for zone in ZONES:
        assert made.heights_mm.of(zone) == pytest.approx(23.0, abs=0.3)
        assert made.disagreement_mm.of(zone) < 0.3
    assert made.said_mm == pytest.approx(25.0)
    assert made.said_sd_mm == pytest.approx(0.0)
    body = made.content.probability > 0.5
    assert windowed(made.content.hu)[body] == pytest.approx(GREY, abs=1e-3)


def test_outside_the_gap_the_ct_stays(straight):
    made = generate(straight, "L1", PRIOR, networks())
    gap = cut_out(straight, "L1", PRIOR.whole)
    outside = ~in_gap(np.arange(SHAPE[1]))
    assert np.array_equal(made.content.hu[:, outside], gap.hu[:, outside])
    assert not made.content.probability[:, outside].any()


def test_sagittal_and_coronal_are_averaged_and_their_difference_told(straight):
    tall, short = Painter(Plane.SAGITTAL, 25.0, 25.0), Painter(Plane.CORONAL, 21.0, 21.0)
    made = generate(straight, "L1", PRIOR, Networks(sagittal=tall, coronal=short))
    assert made.disagreement_mm.middle == pytest.approx(2.0, abs=0.3)
    alone = generate(straight, "L1", PRIOR, Networks(sagittal=tall))
    assert alone.heights_mm.middle == pytest.approx(25.0, abs=0.3)
    assert alone.disagreement_mm == told(0.0)
    probability = made.content.probability[31, :, 47]
    assert probability[68] == pytest.approx(0.5, abs=0.05)


def test_slices_are_smoothed_across(straight):
    flickering = Painter(Plane.SAGITTAL)
    flickering.slices = flickering.slices * (1.0 - 0.8 * (np.arange(64) % 2))[:, None, None]
    made = generate(straight, "L1", PRIOR, Networks(sagittal=flickering))
    line = made.content.probability[20:42, 79, 47]
    assert np.ptp(line) < 0.5 * np.ptp(flickering.slices[20:42, 79, 47])


def test_only_slices_of_the_body_are_run(straight):
    both = networks()
    generate(straight, "L1", PRIOR, both)
    site = site_of(straight, "L1")
    for plane, painter in ((Plane.SAGITTAL, both.sagittal), (Plane.CORONAL, both.coronal)):
        first, last = site.span(plane)
        assert sum(len(seen) for seen in painter.seen) == last - first + 1 + 2 * 2


def test_the_networks_never_see_the_target():
    shown = []
    for height_mm in (16.0, 26.0):
        painter = Painter(Plane.SAGITTAL)
        block = Block(front_mm=height_mm, back_mm=height_mm)
        generate(spine(BLOCKS | {"L1": block}), "L1", PRIOR, Networks(sagittal=painter))
        shown.append(np.concatenate(painter.seen))
    assert np.array_equal(*shown)


def test_abnormal_neighbours_are_restored_first_and_healthy_ones_left(straight):
    alone, both = networks(), networks()
    plain = generate(straight, "L1", PRIOR, alone)
    made = generate(straight, "L1", PRIOR, both, {"T12": PRIOR, "T11": PRIOR})
    assert plain.regenerated == {}
    assert list(made.regenerated) == ["T12"]
    shift = made.regenerated["T12"]
    assert shift[0] == pytest.approx(-shift[-1])
    assert made.content.site == plain.content.site
    last = [np.concatenate(n.sagittal.seen)[-45:] for n in (alone, both)]
    above = [seen[22, Channel.CT, 30:54, 38] for seen in last]
    restored, observed = ((np.abs(line - GREY) < 0.02).sum() for line in above[::-1])
    assert restored > 15 > observed


def test_attention_comes_in_the_gaps_frame(straight):
    ramp = np.linspace(-250.0, 750.0, straight.ids.shape[1], dtype=np.float32)[None, :, None]
    straight = replace(straight, hu=np.array(np.broadcast_to(ramp, straight.ids.shape)))
    gap = cut_out(straight, "L1", PRIOR.whole)
    assert not attention(straight, gap, None).any()
    heat = attention(straight, gap, lambda slices: (slices + 1.0, slices[:, :1, 0, 0]))
    rows = in_gap(np.arange(SHAPE[1]))
    assert not heat[:, rows].any()
    inner = ~rows & (np.abs(np.arange(SHAPE[1]) - 79.5) < 55)
    assert np.abs(heat - windowed(gap.hu) - 1.0)[:, inner].max() < 1e-3


def test_a_generated_vertebra_is_pasted_at_the_references_heights(straight):
    made = generate(straight, "L1", PRIOR, networks())
    pseudo = restored(straight, made.content, told(25.0))
    body = (pseudo.straight.ids == VERSE_IDS["L1"])[40:57, :, 32:49].sum(axis=1)
    assert body.mean() == pytest.approx(25.0, abs=0.6)


def test_tall_bodies_are_drawn_in_rows_and_told_in_mm():
    tall = spine({"L2": Block(), "L3": Block(front_mm=38.0, back_mm=38.0), "L4": Block()})
    made = generate(tall, "L3", told(38.0), networks())
    row_mm = made.content.site.row_mm
    assert row_mm > 1.05
    assert made.said_mm == pytest.approx(25.0 * row_mm)
    figure = drawing_of(made.content.probability, tall, made.content.site)
    assert zones_of(figure).middle == pytest.approx(23.0 * row_mm, abs=0.3)


def test_neighbours_are_by_order_along_the_spine():
    order = spine({"T12": Block(), "T13": Block(), "L1": Block()})
    assert adjacent(order, "T13") == ("T12", "L1")
    assert adjacent(order, "L1") == ("T13",)


def test_labels_alone_absent_levels_and_empty_drawings_are_refused(straight):
    with pytest.raises(LamellaError, match="labels alone"):
        generate(replace(straight, hu=None), "L1", PRIOR, networks())
    with pytest.raises(LamellaError, match="no body of L5"):
        generate(straight, "L5", PRIOR, networks())
    blank = Painter(Plane.SAGITTAL)
    blank.slices = np.zeros_like(blank.slices)
    with pytest.raises(LamellaError, match="expected a body of L1 to be drawn"):
        generate(straight, "L1", PRIOR, Networks(sagittal=blank))
