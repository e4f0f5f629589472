"""Overlaps to train on: windows that hold the overlap, known layers, folds that do not leak."""

import numpy as np
import pytest
from scipy import ndimage

import joints
from lamella.physics.formation import absorbance
from lamella.prepare.overlap import SMALLEST_OVERLAP_PX, KnownLayers, window_around
from lamella.training import overlaps
from lamella.training.overlaps import (
    GUESSED_OUT_PX,
    MAPS,
    MASKS,
    NOBODY,
    WINDOW_PX,
    Overlap,
    OverlapPool,
    closings,
    exchange,
    guessed_edges,
    mirrored,
    phantom_overlap,
    real_overlap,
    sample_of,
    taken_apart,
)
from lamella.training.shares_data import phantom_layers

HALF = 2e-3
"""Error of float16 near 1, with a margin."""


@pytest.fixture(scope="module")
def known(apart) -> KnownLayers:
    return taken_apart(joints.loaded(apart))


@pytest.fixture(scope="module")
def other() -> KnownLayers:
    return taken_apart(joints.loaded(joints.phantom(jsw_mm=1.2, seed=3)))


@pytest.fixture(scope="module")
def samples(known) -> list[Overlap]:
    return closings(known, (4, 4), 3, np.random.default_rng(0))


def maps_of(sample: Overlap) -> dict[str, np.ndarray]:
    return dict(zip(MAPS, sample.maps.astype(np.float32), strict=True))


def masks_of(sample: Overlap) -> dict[str, np.ndarray]:
    return dict(zip(MASKS, sample.masks.astype(bool), strict=True))


def found_in(image: np.ndarray, part: np.ndarray) -> bool:
    """Whether a part was cut out of an image kept as float16."""
    image = image.astype(np.float16)
    rows, cols = part.shape
    near = image[: image.shape[0] - rows + 1, : image.shape[1] - cols + 1] == part[0, 0]
    return any(
        np.array_equal(image[row : row + rows, col : col + cols], part)
        for row, col in np.argwhere(near)
    )


def test_closed_joints_fill_the_window_and_overlap(samples):
    assert 1 <= len(samples) <= 3
    for sample in samples:
        assert sample.maps.shape == (len(MAPS), *WINDOW_PX)
        assert sample.maps.dtype == np.float16
        assert sample.masks.shape == (len(MASKS), *WINDOW_PX)
        assert set(np.unique(sample.masks)) == {0, 1}
        assert sample.known
        assert sample.joints == (4, 4)
        assert masks_of(sample)["overlap"].sum() >= SMALLEST_OVERLAP_PX


def test_true_layers_are_physical_and_fit_the_observation(known, samples):
    for sample in samples:
        maps, both = maps_of(sample), masks_of(sample)["overlap"]
        lower = maps["absorbance"] - maps["true_soft"] - maps["true_upper"]
        assert min(maps["true_soft"].min(), maps["true_upper"].min()) >= 0
        assert lower.min() >= -2 * HALF
        assert min(maps["true_upper"][both].mean(), lower[both].mean()) > 0.05
        assert found_in(known.soft, sample.maps[MAPS.index("true_soft")])


def test_a_sample_repeats_from_its_generator(known, samples):
    again = closings(known, (4, 4), 3, np.random.default_rng(0))
    for one, two in zip(samples, again, strict=True):
        np.testing.assert_array_equal(one.maps, two.maps)
        np.testing.assert_array_equal(one.masks, two.masks)
        assert one.scale == two.scale


def test_maps_and_masks_come_in_their_order(overlapping, monkeypatch):
    """Whatever the box, each array is found under its own name."""
    monkeypatch.setattr(overlaps, "drawn_by_hand", lambda mask, _: mask)
    monkeypatch.setattr(overlaps, "GUESSED_FRACTION", 0.0)
    known = phantom_layers(overlapping)
    observed = np.asarray(absorbance(overlapping.intensity, 1 / 255))
    sample = sample_of(known, observed, (NOBODY, NOBODY), np.random.default_rng(0))
    box = window_around(known.overlap, WINDOW_PX)
    maps, masks = maps_of(sample), masks_of(sample)
    np.testing.assert_allclose(maps["absorbance"], observed[box], atol=HALF)
    np.testing.assert_allclose(maps["true_soft"], known.soft[box], atol=HALF)
    np.testing.assert_allclose(maps["true_upper"], known.bones["upper"][box], atol=HALF)
    for name in ("upper", "lower"):
        np.testing.assert_array_equal(masks[f"{name}_mask"], known.masks[name][box])
        matte, inside = maps[f"{name}_matte"], masks[f"{name}_mask"]
        assert matte[inside].mean() > 0.9
        assert matte[~inside].mean() < 0.1
    both = masks["upper_mask"] & masks["lower_mask"]
    np.testing.assert_array_equal(masks["overlap"], both)
    assert (maps["soft"] <= maps["absorbance"] + HALF).all()
    assert (maps["window"][both] == 1).all()


def test_masks_are_drawn_by_hand_and_either_overlap_counts(overlapping, monkeypatch):
    monkeypatch.setattr(overlaps, "drawn_by_hand", lambda mask, _: np.roll(mask, 1, axis=1))
    monkeypatch.setattr(overlaps, "GUESSED_FRACTION", 0.0)
    known = phantom_layers(overlapping)
    sample = sample_of(known, known.absorbance, (NOBODY, NOBODY), np.random.default_rng(0))
    box, masks = window_around(known.overlap, WINDOW_PX), masks_of(sample)
    either = known.overlap | np.roll(known.overlap, 1, axis=1)
    np.testing.assert_array_equal(masks["overlap"], either[box])
    shifted = np.roll(known.masks["upper"], 1, axis=1)[box]
    np.testing.assert_array_equal(masks["upper_mask"], shifted)


def test_the_other_hand_is_the_mirror_image(known):
    there = mirrored(known)
    np.testing.assert_array_equal(there.absorbance, known.absorbance[:, ::-1])
    np.testing.assert_array_equal(there.masks["upper"], known.masks["upper"][:, ::-1])
    again = mirrored(there)
    np.testing.assert_array_equal(again.bones["lower"], known.bones["lower"])
    assert again.grey_level == known.grey_level


def test_an_exchange_shows_the_soft_tissue_of_one_and_a_bone_of_the_other(known, other):
    made = [exchange(known, other, (4, 9), np.random.default_rng(seed)) for seed in range(6)]
    shown = [sample for each in made for sample in each]
    assert shown
    for sample in shown:
        assert sample.joints == (4, 9)
        assert sample.known
        assert masks_of(sample)["overlap"].sum() >= SMALLEST_OVERLAP_PX
        assert found_in(known.soft, sample.maps[MAPS.index("true_soft")])


def test_bones_that_do_not_fit_are_not_exchanged(known, other, monkeypatch):
    monkeypatch.setattr(overlaps, "exchanged", lambda *_: None)
    assert exchange(known, other, (4, 9), np.random.default_rng(0)) == []


def test_phantoms_show_nobody_and_are_left_out_when_apart(monkeypatch, apart, overlapping):
    monkeypatch.setattr(overlaps, "random_joint_phantom", lambda *_, **__: apart)
    assert phantom_overlap((0, 7, 1)) == []
    monkeypatch.setattr(overlaps, "random_joint_phantom", lambda *_, **__: overlapping)
    (one,), (two,) = phantom_overlap((0, 7, 1)), phantom_overlap((0, 7, 1))
    np.testing.assert_array_equal(one.maps, two.maps)
    assert one.joints == (NOBODY, NOBODY)
    assert one.known


def test_a_real_overlap_is_unknown(overlapping):
    joint = joints.loaded(overlapping)
    sample = real_overlap(joint, 6)
    box, maps = window_around(joint.upper & joint.lower, WINDOW_PX), maps_of(sample)
    assert not sample.known
    assert sample.joints == (6, 6)
    assert not maps["true_soft"].any()
    assert not maps["true_upper"].any()
    observed = -np.log1p(-np.minimum(joint.pixels, 1 - 0.5 / 255))
    np.testing.assert_allclose(maps["absorbance"], observed[box], rtol=1e-3)
    for name, mask in (("upper", joint.upper), ("lower", joint.lower)):
        inside = mask[box]
        assert masks_of(sample)[f"{name}_mask"][inside].all()
    assert sample.scale > 0


# --- pools -------------------------------------------------------------------------------------


def plain(number: int, shown: tuple[int, int] = (NOBODY, NOBODY)) -> Overlap:
    """A small sample that says its number everywhere."""
    return Overlap(
        maps=np.full((len(MAPS), 4, 5), number, np.float16),
        masks=np.full((len(MASKS), 4, 5), number % 2, np.uint8),
        scale=0.5 + number,
        known=number % 3 == 0,
        joints=shown,
    )


SHOWN = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 2), (2, 0), (NOBODY, NOBODY)]


@pytest.fixture
def pool() -> OverlapPool:
    return OverlapPool.of([plain(number, shown) for number, shown in enumerate(SHOWN)])


@pytest.mark.parametrize("training", [{0}, {1, 2}, {0, 1, 2}, set(), {7}])
def test_a_fold_shows_its_own_joints_alone_and_all_of_these(pool, training):
    """Both joints of an exchanged pair count; phantoms belong to every fold."""
    allowed = set(pool.of_joints(training).tolist())
    expected = {n for n, pair in enumerate(SHOWN) if set(pair) <= training | {NOBODY}}
    assert allowed == expected


def test_no_sample_is_in_two_folds_but_phantoms(pool):
    both = set(pool.of_joints({0, 1}).tolist()) & set(pool.of_joints({2}).tolist())
    assert both == {SHOWN.index((NOBODY, NOBODY))}


def test_a_pool_stacks_its_samples(pool):
    assert pool.maps.shape == (7, len(MAPS), 4, 5)
    assert pool.maps.dtype == np.float16
    assert pool.masks.dtype == np.uint8
    np.testing.assert_array_equal(pool.maps[:, 0, 0, 0], np.arange(7))
    np.testing.assert_array_equal(pool.scale, 0.5 + np.arange(7))
    np.testing.assert_array_equal(pool.known, np.arange(7) % 3 == 0)
    np.testing.assert_array_equal(pool.joints, SHOWN)


def test_a_pool_is_made_once_and_then_mapped_from_disk(tmp_path, pool):
    made = []

    def make():
        made.append(True)
        yield from (plain(number, shown) for number, shown in enumerate(SHOWN))

    for _ in range(2):
        kept = OverlapPool.kept(tmp_path / "pool", make)
        assert isinstance(kept.maps, np.memmap)
        assert not kept.maps.flags.writeable
        for name in ("maps", "masks", "scale", "known", "joints"):
            np.testing.assert_array_equal(getattr(kept, name), getattr(pool, name))
    assert made == [True]


def test_a_pool_whose_making_was_interrupted_is_made_again(tmp_path):
    def interrupted():
        yield plain(0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        OverlapPool.kept(tmp_path / "pool", interrupted)
    assert len(OverlapPool.kept(tmp_path / "pool", lambda: [plain(0), plain(1)]).maps) == 2


# --- hidden edges that are guessed ---------------------------------------------------------


def test_guessed_edges_move_hidden_edges_alone(overlapping):
    upper, lower = overlapping.masks["upper"], overlapping.masks["lower"]
    moved = guessed_edges(upper, lower, np.random.default_rng(0))
    for mask, other, guessed in ((upper, lower, moved[0]), (lower, upper, moved[1])):
        changed = mask ^ guessed
        assert changed.any()
        assert not (changed & ~other).any()


def test_upper_edges_are_guessed_too_far_out_and_lower_ones_not(overlapping):
    upper, lower = overlapping.masks["upper"], overlapping.masks["lower"]
    growth = np.array(
        [
            [
                int(guessed.sum()) - int(mask.sum())
                for guessed, mask in zip(
                    guessed_edges(upper, lower, np.random.default_rng(seed)),
                    (upper, lower),
                    strict=True,
                )
            ]
            for seed in range(40)
        ]
    )
    hidden_px = [
        np.count_nonzero(mask & ~ndimage.binary_erosion(mask) & other)
        for mask, other in ((upper, lower), (lower, upper))
    ]
    out_px = growth.mean(axis=0) / hidden_px
    assert 0.5 * GUESSED_OUT_PX["upper"] < out_px[0] < GUESSED_OUT_PX["upper"] + 0.5
    assert -0.1 < out_px[1] < 0.5


def test_bones_that_lie_apart_have_no_hidden_edge(known):
    masks = list(known.masks.values())
    for mask, guessed in zip(masks, guessed_edges(*masks, np.random.default_rng(0)), strict=True):
        np.testing.assert_array_equal(mask, guessed)


def test_no_samples_make_an_empty_pool(samples):
    empty, one = OverlapPool.of([]), OverlapPool.of(samples[:1])
    for name in ("maps", "masks", "scale", "known", "joints"):
        assert len(getattr(empty, name)) == 0
        assert getattr(empty, name).shape[1:] == getattr(one, name).shape[1:]
        assert getattr(empty, name).dtype == getattr(one, name).dtype
    assert empty.of_joints({1}).size == 0
