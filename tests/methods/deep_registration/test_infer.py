"""What the parameters mean in pixels, and how visits reach the network and come back."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch.nn.functional import affine_grid, grid_sample

import joints
from lamella.methods.deep_registration.infer import (
    CENTRE_PX,
    NetworkView,
    agreement,
    motion_of,
    native_motion,
    parameters_of,
    register_images,
    register_layers,
    standardised,
)
from lamella.records import BoneMasks, JointVisit, LamellaError, Similarity
from lamella.tasks.joint_narrowing import measure_narrowing
from lamella.tasks.joint_width import measure_joint_space
from lamella.tasks.separation import separate_joint

SAID = np.array([0.04, -0.11, 0.06, -0.09])


def theta(parameters: np.ndarray) -> torch.Tensor:
    """``S R T`` as a product of three matrices, (1, 2, 3)."""
    a, r, right, down = parameters
    scale, turn = np.tanh(a) + 1, np.pi / 2 * np.tanh(r)
    s = np.diag([scale, scale, 1.0])
    rotation = np.array(
        [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    )
    shift = np.array([[1, 0, right], [0, 1, down], [0, 0, 1.0]])
    return torch.from_numpy((s @ rotation @ shift)[None, :2])


def visit(separated: bool = True, **spec) -> JointVisit:
    phantom = joints.phantom(**spec)
    radiograph = joints.radiograph_of(phantom)
    masks = BoneMasks(masks=phantom.masks)
    layers = separate_joint(radiograph, masks, joints.estimate_saying(), "half")
    return JointVisit(
        radiograph=radiograph,
        masks=masks,
        space=measure_joint_space(masks, radiograph.pixel_spacing_mm),
        layers=layers if separated else None,
    )


def test_the_motion_is_the_one_that_grid_sample_undoes():
    """Warping by theta = S R T equals sampling where the similarity says, pixel by pixel."""
    rng = np.random.default_rng(0)
    moving = ndimage.gaussian_filter(rng.normal(size=(256, 256)), 4.0)
    grid = affine_grid(theta(SAID), [1, 1, 256, 256], align_corners=False)
    warped = grid_sample(torch.from_numpy(moving)[None, None], grid, align_corners=False)[0, 0]
    fixed_px = np.argwhere(np.ones((256, 256), bool)).astype(float)
    there = motion_of(SAID).of_points(fixed_px)
    found = ndimage.map_coordinates(moving, there.T, order=1).reshape(256, 256)
    inside = ((there > 0) & (there < 255)).all(axis=1).reshape(256, 256)
    assert inside.mean() > 0.7
    np.testing.assert_allclose(warped.numpy()[inside], found[inside], atol=1e-9)


def test_ty_alone_is_no_displacement_in_pixels():
    """1 unit is 128 px, and with a rotation t_y also moves sideways."""
    straight = motion_of(np.array([0.0, 0.0, 0.0, 0.05]))
    assert (straight.down_px, straight.right_px) == pytest.approx((6.4, 0.0))
    turned = motion_of(np.array([0.0, 0.1, 0.0, 0.05]))
    turn = np.pi / 2 * np.tanh(0.1)
    assert turned.down_px == pytest.approx(6.4 * np.cos(turn))
    assert turned.right_px == pytest.approx(-6.4 * np.sin(turn))
    assert turned.rotation_deg == pytest.approx(-np.rad2deg(turn))


def test_parameters_and_motions_are_each_others_inverse():
    motion = Similarity(
        down_px=5.0, right_px=-3.0, rotation_deg=4.0, scale=1.02, centre_px=(40.0, 90.0)
    )
    back = motion_of(parameters_of(motion))
    places = np.array([(0.0, 0.0), (255.0, 0.0), (128.0, 200.0)])
    np.testing.assert_allclose(back.of_points(places), motion.of_points(places), atol=1e-9)
    np.testing.assert_allclose(parameters_of(motion_of(SAID)), SAID, atol=1e-12)


@pytest.mark.parametrize("shape", [(200, 310), (256, 256), (301, 255)])
def test_the_view_says_where_its_pixels_come_from(shape):
    """A spot at a native place appears in the view where zoom and offset put it."""
    rows, cols = shape
    row, col = np.mgrid[:rows, :cols]
    at = (0.5 * rows - 11.0, 0.5 * cols + 17.0)
    spot = np.exp(-((row - at[0]) ** 2 + (col - at[1]) ** 2) / 50.0).astype(np.float32)
    for spacing_mm in (0.082, 0.1):
        view = NetworkView.of(
            joints.radiograph_of(joints.phantom(), pixels=spot, pixel_spacing_mm=spacing_mm)
        )
        seen = view.image(spot)
        found = ndimage.center_of_mass(seen**2)
        np.testing.assert_allclose(found, view.zoom * at + view.offset_px, atol=0.02)
        padded = min(view.grid.shape) < 256
        assert bool(view.mask(np.ones(shape, bool)).all()) is not padded


def test_motions_return_to_the_pixels_of_both_radiographs():
    """Through views of other spacing and size, a place goes where the chain of maps takes it."""
    pixels = np.tile(np.linspace(0.1, 0.9, 200, dtype=np.float32), (180, 1))
    fixed, moving = (
        NetworkView.of(joints.radiograph_of(joints.phantom(), pixels=part, pixel_spacing_mm=mm))
        for part, mm in ((pixels, 0.1), (pixels[:160, :150], 0.12))
    )
    motion = motion_of(SAID)
    native = native_motion(motion, fixed, moving)
    places = np.array([(90.0, 100.0), (60.0, 80.0), (120.0, 130.0)])
    seen = motion.of_points(places * fixed.zoom + fixed.offset_px)
    wanted = (seen - moving.offset_px) / moving.zoom
    np.testing.assert_allclose(native.of_points(places), wanted, atol=0.15)
    assert native.scale == pytest.approx(motion.scale * 0.1 / 0.12, rel=0.005)


def test_bones_are_named_moving_comes_first_and_the_sign_is_right():
    """A network that says the upper bone went 3 px down means 3 px narrowing at the same scale."""
    baseline, followup = visit(separated=False), visit(separated=False, noise_seed=3)
    shown = []

    def says(batch):
        shown.append(batch)
        said = np.zeros((len(batch), 8), np.float32)
        said[:, 3] = 3.0 / 128.0
        return said

    def register(first, second):
        return register_images(first, second, says)

    change = measure_narrowing(baseline, followup, register, "deep")
    assert change.jsn_px == pytest.approx(3.0, abs=0.1)
    assert change.bones["lower"].motion.down_px == pytest.approx(0.0, abs=1e-9)
    (seen,) = shown
    np.testing.assert_allclose(
        seen[0], standardised(np.stack([followup.radiograph.pixels, baseline.radiograph.pixels]))
    )


def test_each_bone_is_read_off_its_own_layers():
    baseline, followup = visit(), visit(noise_seed=3)
    shown = []

    def says(batch):
        shown.append(batch)
        said = np.full((2, 8), 9.0, np.float32)
        said[0, :4] = (0.0, 0.0, 0.0, 1.0 / 128.0)
        said[1, 4:] = (0.0, 0.0, 2.0 / 128.0, 0.0)
        return said

    found = register_layers(baseline, followup, says)
    assert found["upper"].motion.down_px == pytest.approx(1.0, abs=1e-5)
    assert found["lower"].motion.right_px == pytest.approx(2.0, abs=1e-5)
    for number, name in enumerate(("upper", "lower")):
        layers = [each.layers.bone_image(name) for each in (followup, baseline)]
        np.testing.assert_allclose(shown[0][number], standardised(np.stack(layers)))


def test_visits_that_are_not_separated_have_no_layers_to_register():
    with pytest.raises(LamellaError, match="separate them first"):
        register_layers(visit(separated=False), visit(), lambda batch: np.zeros((2, 8)))


def test_agreement_is_high_at_the_true_motion_alone():
    rng = np.random.default_rng(1)
    moving = ndimage.gaussian_filter(rng.normal(size=(256, 256)), 3.0).astype(np.float32)
    motion = Similarity(down_px=4.0, right_px=-2.0, centre_px=(CENTRE_PX, CENTRE_PX))
    fixed = np.roll(moving, (-4, 2), (0, 1))
    region = np.zeros((256, 256), bool)
    region[40:200, 0:120] = True
    ncc, coverage = agreement(moving, fixed, region, motion)
    assert ncc > 0.99
    assert coverage == pytest.approx(1 - 2 / 120)
    assert agreement(moving, fixed, region, Similarity())[0] < 0.7
    assert np.isnan(agreement(moving, fixed, region, Similarity(down_px=400.0))[0])
