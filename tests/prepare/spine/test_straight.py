"""The straight spine: right places, right labels, and back on the CT's own grid."""

import numpy as np
import pytest

from lamella.prepare.spine.centroids import centroids, indexed, placed
from lamella.prepare.spine.curve import curve_of, from_world, to_world
from lamella.prepare.spine.straight import StraightSpine, returned, straighten
from lamella.records.images import LamellaError
from lamella.records.spine import VERSE_IDS, CTVolume


@pytest.fixture(scope="module")
def straight(spine) -> StraightSpine:
    return straighten(spine.ct, spine.labels, spine.bodies, 2.0)


def test_axes_and_millimetres(straight: StraightSpine) -> None:
    assert straight.hu is not None
    assert straight.hu.shape == straight.ids.shape == straight.bodies.shape
    assert (straight.left_mm[0], straight.left_mm[-1]) == (-48.0, 48.0)
    assert (straight.back_mm[0], straight.back_mm[-1]) == (-40.0, 56.0)
    assert np.diff(straight.down_mm) == pytest.approx(2.0)
    place = np.array([3.0, 7.0, 5.0])
    assert straight.indexed(straight.placed(place)) == pytest.approx(place)


def test_samples_are_what_lies_at_their_place(spine, straight: StraightSpine) -> None:
    rng = np.random.default_rng(0)
    index = (rng.uniform(0, 1, (300, 3)) * np.array(straight.ids.shape)).astype(int)
    world = to_world(straight.curve, straight.placed(index))
    at = indexed(spine.labels.affine, world)
    inside = ((at > 0) & (at < np.array(spine.labels.ids.shape) - 1)).all(axis=1)
    base = np.floor(at[inside]).astype(int)
    near = [spine.ct.hu[tuple((base + step).T)] for step in np.ndindex(2, 2, 2)]
    values = straight.hu[tuple(index[inside].T)]
    assert (values >= np.min(near, axis=0) - 1e-3).all()
    assert (values <= np.max(near, axis=0) + 1e-3).all()
    assert straight.hu[tuple(index[~inside].T)].min() == -1000.0


def test_bodies_are_straight_below_one_another(straight: StraightSpine) -> None:
    previous = -np.inf
    for level, arc in straight.curve.levels_mm.items():
        left, down, back = straight.placed(
            np.argwhere(straight.bodies == VERSE_IDS[level]).mean(axis=0)
        )
        assert np.hypot(left, back) < 1.5
        assert down == pytest.approx(arc, abs=1.0)
        assert down > previous
        previous = down
        whole = np.argwhere(straight.ids == VERSE_IDS[level]).mean(axis=0)
        assert straight.placed(whole)[2] > back + 5.0  # the arch lies behind


def test_volumes_survive(spine, straight: StraightSpine) -> None:
    ours = centroids(straight.bodies, np.diag([2.0, 2.0, 2.0, 1.0]))
    for level, body in centroids(spine.bodies, spine.labels.affine).items():
        assert ours[level].volume_mm3 == pytest.approx(body.volume_mm3, rel=0.05)


def test_labels_return_to_their_own_grid(spine) -> None:
    fine = straighten(None, spine.labels, spine.bodies, 1.0)
    assert fine.hu is None
    back = returned(fine.bodies, fine, spine.bodies.shape, spine.labels.affine, order=0)
    assert back.values.dtype == np.uint8
    assert back.covered[spine.bodies > 0].all()
    agree = back.values[back.covered] == spine.bodies[back.covered]
    body = (spine.bodies[back.covered] > 0) | (back.values[back.covered] > 0)
    assert agree[body].mean() > 0.95
    assert not back.values[~back.covered].any()


def test_places_return_to_a_micrometre(spine, straight: StraightSpine) -> None:
    drawn = np.broadcast_to(straight.down_mm[:, None], straight.ids.shape).astype(np.float32)
    back = returned(drawn, straight, spine.ct.shape, spine.ct.affine)
    inside = np.argwhere(back.covered)[::97]
    told = from_world(straight.curve, placed(spine.ct.affine, inside))[:, 1]
    assert back.values[tuple(inside.T)] == pytest.approx(told, abs=2e-5)


def test_some_rows_touch_their_own_part_of_the_ct_only(spine, straight: StraightSpine) -> None:
    part = straight.rows(40, 60)
    drawn = returned(part.hu, part, spine.ct.shape, spine.ct.affine)
    whole = returned(straight.hu, straight, spine.ct.shape, spine.ct.affine)
    told = from_world(straight.curve, placed(spine.ct.affine, np.argwhere(drawn.covered)))
    assert told[:, 1].min() >= straight.down_mm[40] - 1e-6
    assert told[:, 1].max() <= straight.down_mm[59] + 1e-6
    assert drawn.values[drawn.covered] == pytest.approx(whole.values[drawn.covered], abs=1e-2)


def test_labels_and_ct_need_not_share_a_grid(spine, straight: StraightSpine) -> None:
    thinned = np.ascontiguousarray(spine.ct.hu[::2, ::2, ::2])
    affine = spine.ct.affine.copy()
    affine[:3, :3] *= 2
    coarse = straighten(
        CTVolume(hu=thinned, affine=affine), spine.labels, spine.bodies, 2.0, straight.curve
    )
    assert (coarse.ids == straight.ids).all()
    bone = straight.bodies > 0
    assert coarse.hu[bone].mean() == pytest.approx(straight.hu[bone].mean(), abs=25.0)


def test_wrong_spacing_and_shape_are_refused(spine, straight: StraightSpine) -> None:
    with pytest.raises(LamellaError, match="spacing above 0"):
        straighten(None, spine.labels, spine.bodies, 0.0, curve_of(spine.labels, spine.bodies))
    with pytest.raises(LamellaError, match="own samples"):
        returned(np.zeros((3, 3, 3), np.float32), straight, spine.ct.shape, spine.ct.affine)
