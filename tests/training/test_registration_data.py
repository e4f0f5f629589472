"""Pairs as the network sees them: what is said of a bone's motion is what its pixels did."""

import numpy as np
import pytest
import torch

import joints
from lamella.methods.deep_registration.objective import image_error
from lamella.training.registration_data import (
    EXPOSURE,
    LAYERS,
    MOST_SHIFT_PX,
    MOST_TURN_DEG,
    NOISE,
    RADIOGRAPH,
    PairDrawer,
    PairDrawing,
    drawn,
    similarity_of,
    taken,
    whole_motions,
)
from lamella.training.registration_visits import (
    COLUMNS,
    VisitAmounts,
    VisitPool,
    visits_of,
)


@pytest.fixture(scope="module")
def pool() -> VisitPool:
    """Two sources, both of joint 7, each as it stands and in two poses."""
    made = []
    for number, seed in enumerate((0, 1)):
        phantom = joints.phantom(jsw_mm=0.5, noise_seed=seed)
        amounts = VisitAmounts(poses_per_visit=2)
        made += visits_of(joints.radiograph_of(phantom), phantom.masks, (number, 7), amounts)
    return VisitPool(**{name: np.stack([visit[name] for visit in made]) for name in COLUMNS})


def test_warping_by_the_truth_matches_the_fixed_image(pool):
    """Far better than no motion and than either half of the truth's bones exchanged."""
    rng = np.random.default_rng(3)
    batch = drawn(pool, pool.known_pairs[:6], LAYERS, rng).batch()
    right = image_error(batch.truth, batch)
    assert right < 0.25
    assert image_error(torch.zeros_like(batch.truth), batch) > 2 * right
    swapped = torch.cat([batch.truth[:, 4:], batch.truth[:, :4]], dim=1)
    assert image_error(swapped, batch) > 1.5 * right


def test_layers_ask_about_their_own_bone_alone(pool):
    drawing = PairDrawing(maps=LAYERS, size=6)
    batch = PairDrawer.of(pool, drawing)(np.random.default_rng(0))
    assert batch.seen.shape == (6, 2, 256, 256)
    assert batch.asked[0].tolist() == [1.0] * 4 + [0.0] * 4
    assert batch.asked[1].tolist() == [0.0] * 4 + [1.0] * 4
    assert batch.regions[0, 0].any()
    assert not batch.regions[0, 1].any()
    assert batch.regions[1, 1].any()
    assert torch.equal(batch.truth[0], batch.truth[1])


def test_radiographs_ask_about_both_bones(pool):
    batch = PairDrawer.of(pool, PairDrawing(maps=RADIOGRAPH, size=3))(np.random.default_rng(0))
    assert batch.seen.shape == (3, 2, 256, 256)
    assert batch.asked.all()
    assert batch.regions.flatten(2).any(dim=2).all()


def test_real_visits_have_no_truth(pool):
    drawing = PairDrawing(maps=RADIOGRAPH, size=8, real_fraction=1.0)
    batch = PairDrawer.of(pool, drawing)(np.random.default_rng(0))
    assert not batch.asked.any()
    assert batch.regions.any()


def test_a_batch_depends_on_its_chance_alone(pool):
    draw = PairDrawer.of(pool, PairDrawing(maps=RADIOGRAPH, size=2, real_fraction=0.5))
    one, two = (draw(np.random.default_rng([1, 5])) for _ in range(2))
    assert all(torch.equal(mine, yours) for mine, yours in zip(one, two, strict=True))
    assert not torch.equal(one.seen, draw(np.random.default_rng([1, 6])).seen)


def test_the_whole_joint_moves_within_what_is_said_and_mirrors_half():
    moving, fixed = whole_motions(400, np.random.default_rng(0))
    between = [similarity_of(each) for each in moving @ np.linalg.inv(fixed)]
    middle = np.array([(127.5, 127.5)])
    shifts = np.array([motion.of_points(middle)[0] - middle[0] for motion in between])
    assert 0.9 * MOST_SHIFT_PX < np.abs(shifts).max() < 1.15 * MOST_SHIFT_PX
    turns = np.array([motion.rotation_deg for motion in between])
    assert 0.95 * MOST_TURN_DEG < np.abs(turns).max() <= MOST_TURN_DEG
    mirrored = np.linalg.det(fixed) < 0
    assert 0.4 < mirrored.mean() < 0.6
    assert ((np.linalg.det(moving) < 0) == mirrored).all()


def test_exposure_multiplies_absorbance_and_noise_is_independent():
    images = torch.full((64, 2, 32, 32), 0.5)
    seen = taken(images, np.random.default_rng(0))
    absorbance = -np.log1p(-seen.mean(axis=(2, 3)))
    np.testing.assert_allclose(absorbance[:, 0], absorbance[:, 1], atol=0.01)
    ratio = absorbance[:, 0] / np.log(2)
    assert 0.5 < ratio.min() < EXPOSURE[0] + 0.1
    assert EXPOSURE[1] - 0.1 < ratio.max() < 1.5
    noise = seen.std(axis=(2, 3))
    assert NOISE[0] * 0.9 < noise.min() < noise.max() < NOISE[1] * 1.1
    first, second = seen[0] - seen[0].mean(axis=(1, 2), keepdims=True)
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.15


def test_frames_go_with_the_fixed_visit(pool):
    made = drawn(pool, pool.known_pairs[:4], RADIOGRAPH, np.random.default_rng(2))
    for frame in made.frames:
        assert np.hypot(*frame.axis) == pytest.approx(1.0)
        assert frame.axis[0] < -0.9
    assert made.known.all()
