"""Crops for reading studies: places that correspond, levels that match, chance that repeats."""

import numpy as np
import pytest

from lamella.records import LamellaError
from lamella.tasks.reading import (
    BoneEnd,
    Crop,
    Kind,
    Place,
    central_crop,
    chosen,
    cut,
    matched_levels,
    paired_crops,
    pixel_of,
    place_of,
    refuse_too_few,
    within_overlap,
)

SIDE = 100
RAMP = np.linspace(0, 1, SIDE * SIDE, dtype=np.float32).reshape(SIDE, SIDE)


def bone(name="upper", rim=60, left=20, overlap=0, source="a", pixels=RAMP):
    """A rectangle that ends at a row, reached by the other bone over some rows."""
    mask, other = np.zeros((2, SIDE, SIDE), bool)
    if name == "upper":
        mask[: rim + 1, left : left + 50] = True
        other[rim + 1 - overlap :, left : left + 50] = True
    else:
        mask[rim:, left : left + 50] = True
        other[: rim + overlap, left : left + 50] = True
    return BoneEnd(source=source, name=name, mask=mask, other=other, pixels=pixels)


@pytest.mark.parametrize(("name", "row"), [("upper", 50), ("lower", 70)])
def test_a_place_is_depth_from_the_rim_and_fraction_across(name, row):
    place = place_of(bone(name), (row, 20 + 49))
    assert place == Place(across=1.0, depth_px=10.0)


@pytest.mark.parametrize("name", ["upper", "lower"])
def test_the_same_place_on_a_moved_bone_is_moved_with_it(name):
    here, there = bone(name, rim=60, left=20), bone(name, rim=45, left=31)
    assert pixel_of(there, place_of(here, (58, 40))) == (58 - 15, 40 + 11)
    assert pixel_of(here, place_of(here, (58, 40))) == (58, 40)


def test_the_rim_is_the_one_at_that_column():
    slanted = bone()
    slanted.mask[:] = np.arange(SIDE)[:, None] <= 30 + np.arange(SIDE)[None] // 2
    assert place_of(slanted, (40, 60)).depth_px == pytest.approx(20.0, abs=0.5)


def test_a_pixel_of_the_overlap_lies_in_it():
    crossed = bone(overlap=7)
    row, col = within_overlap(crossed)
    assert crossed.overlap[row, col]
    assert abs(row - 57) <= 1
    assert within_overlap(crossed, 0.0)[1] == 20
    assert within_overlap(crossed, 1.0)[1] == 69
    assert crossed.overlap_px == 7 * 50
    with pytest.raises(LamellaError, match="choose a joint with an overlap"):
        within_overlap(bone())


def test_a_cut_is_a_slice_inside_and_zero_beyond():
    np.testing.assert_array_equal(cut(RAMP, (50, 40), 10), RAMP[45:55, 35:45])
    corner = cut(RAMP + 1, (0, SIDE - 1), 10)
    np.testing.assert_array_equal(corner[5:, :6], RAMP[:5, -6:] + 1)
    assert corner[:5].sum() == corner[:, 6:].sum() == 0
    assert cut(RAMP, (400, 400), 10).sum() == 0
    assert cut(RAMP > 0.5, (-3, 2), 8).dtype == bool


def test_paired_crops_show_both_bones_alike():
    layer = bone(overlap=6, source="layer")
    free = bone(rim=48, left=30, source="free")
    made, real = paired_crops([layer], [free], 32)
    assert (made.kind, made.source, made.overlap_px) == (Kind.GENERATED, "layer", 300)
    assert (real.kind, real.source, real.overlap_px) == (Kind.REAL, "free", 0)
    np.testing.assert_array_equal(made.shown, real.shown)
    assert 0 < made.shown.sum() < 32 * 32


def test_chosen_repeats_with_the_seed_and_takes_nothing_twice():
    items = [(number, number // 2) for number in range(40)]
    first, again, other = (
        chosen(items, 12, np.random.default_rng(seed), key=lambda item: item[1])
        for seed in (1, 1, 2)
    )
    assert first == again != other
    assert len({key for _, key in first}) == 12
    assert len(chosen(items, 100, np.random.default_rng(0), key=lambda item: item[1])) == 20


def test_too_few_are_refused_with_both_counts():
    refuse_too_few("upper", (25, 25), 25)
    with pytest.raises(LamellaError, match=r"expected 25 .* got 30 and 24: lower --images"):
        refuse_too_few("upper", (30, 24), 25)


def crops(count=6, side=24):
    rng = np.random.default_rng(3)
    shown = np.zeros((side, side), bool)
    shown[4:] = True
    return [
        Crop(
            kind=Kind.REAL if number % 2 else Kind.GENERATED,
            source=str(number),
            pixels=rng.uniform(0.1 * number, 0.1 * number + 0.3, (side, side)).astype(np.float32),
            shown=shown,
            grey_level=1 / 255 if number % 2 else 1 / 65535,
        )
        for number in range(count)
    ]


def test_levels_match_and_the_outside_is_black():
    pictures = matched_levels(crops())
    inside = np.array([picture[4:] for picture in pictures], float)
    means, spreads = inside.mean(axis=(1, 2)), inside.std(axis=(1, 2))
    assert np.ptp(means) < 1.0  # one grey level
    assert np.ptp(spreads) < 1.0
    assert means[0] == pytest.approx(255 * 0.4, abs=3)  # median of 0.15, 0.25, … 0.65
    assert all((picture[:4] == 0).all() and picture.dtype == np.uint8 for picture in pictures)


def test_matching_keeps_texture():
    for picture, crop in zip(matched_levels(crops()), crops(), strict=True):
        assert np.corrcoef(picture[4:].ravel(), crop.pixels[4:].ravel())[0, 1] > 0.999


def test_finer_sources_are_rounded_to_the_coarsest():
    fine = np.linspace(0.2, 0.6, 576).reshape(24, 24).astype(np.float32)
    both = [
        Crop(kind=kind, source="", pixels=fine, shown=np.ones((24, 24), bool), grey_level=step)
        for kind, step in ((Kind.REAL, 0.1), (Kind.GENERATED, 1 / 65535))
    ]
    assert [len(np.unique(picture)) for picture in matched_levels(both)] == [5, 5]


def test_a_crop_without_bone_is_refused():
    empty = Crop(
        kind=Kind.REAL,
        source="",
        pixels=np.zeros((8, 8), np.float32),
        shown=np.zeros((8, 8), bool),
    )
    with pytest.raises(LamellaError, match="shows no bone"):
        matched_levels([empty])


def test_a_central_crop_is_the_middle():
    crop = central_crop(RAMP, 20, kind=Kind.REAL, source="s")
    np.testing.assert_array_equal(crop.pixels, RAMP[40:60, 40:60])
    assert crop.shown.all()
