"""What registration minimises: zero at the truth, finite slopes, regions that count."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from lamella.methods.deep_registration.infer import motion_of
from lamella.methods.deep_registration.objective import (
    RegistrationBatch,
    image_error,
    main_loss,
    parameters_error,
    pretraining_loss,
    warped,
)

TRUTH = np.array([0.01, 0.03, 0.04, -0.05, -0.01, -0.02, 0.0, 0.06])


def batch(known: bool = True) -> RegistrationBatch:
    """One pair: the moving image is smooth noise, the fixed one follows each bone's motion."""
    rng = np.random.default_rng(0)
    moving = ndimage.gaussian_filter(rng.normal(size=(256, 256)), 6.0)
    moving = moving / moving.std()
    regions = np.zeros((2, 256, 256), np.float32)
    regions[0, 40:110, 60:200] = 1.0
    regions[1, 150:220, 60:200] = 1.0
    at = np.argwhere(np.ones((256, 256), bool)).astype(float)
    fixed = np.zeros((256, 256))
    for bone in range(2):
        there = motion_of(TRUTH[4 * bone : 4 * bone + 4]).of_points(at)
        warp = ndimage.map_coordinates(moving, there.T, order=1).reshape(256, 256)
        fixed = np.where(regions[bone] > 0, warp, fixed)
    return RegistrationBatch(
        seen=torch.from_numpy(np.stack([moving, fixed])[None].astype(np.float32)),
        regions=torch.from_numpy(regions[None]),
        truth=torch.from_numpy(TRUTH[None].astype(np.float32)),
        asked=torch.full((1, 8), float(known)),
    )


def test_the_truth_costs_nothing_and_no_motion_costs_a_lot():
    pair = batch()
    assert image_error(pair.truth, pair) < 1e-3
    assert parameters_error(pair.truth, pair) < 1e-3
    still = torch.zeros(1, 8)
    assert image_error(still, pair) > 0.3
    assert parameters_error(still, pair).item() == pytest.approx(
        float(np.sqrt(np.square(TRUTH).mean())), rel=1e-2
    )


def test_losses_are_the_published_sums():
    pair, said = batch(), torch.full((1, 8), 0.01)
    image, wrong = image_error(said, pair), parameters_error(said, pair)
    torch.testing.assert_close(pretraining_loss(said, pair)[0], 0.5 * image + 0.5 * wrong)
    torch.testing.assert_close(main_loss(said, pair)[0], image)


def test_each_bones_parameters_act_inside_its_own_region_alone():
    pair = batch()
    upper_wrong = pair.truth.clone()
    upper_wrong[0, 3] += 0.05
    lower_only = pair._replace(regions=pair.regions * torch.tensor([0.0, 1.0])[:, None, None])
    assert image_error(upper_wrong, pair) > 0.1
    assert image_error(upper_wrong, lower_only) < 1e-3


def test_slopes_are_finite_at_the_truth_and_lead_towards_it():
    pair = batch()
    at_truth = pair.truth.clone().requires_grad_()
    pretraining_loss(at_truth, pair)[0].backward()
    assert torch.isfinite(at_truth.grad).all()
    beside = (pair.truth + 0.01).requires_grad_()
    main_loss(beside, pair)[0].backward()
    nearer = (beside - 0.002 * beside.grad.sign()).detach()
    assert image_error(nearer, pair) < image_error(beside, pair)


def test_pairs_without_truth_or_regions_are_no_fault():
    pair = batch(known=False)
    assert parameters_error(torch.ones(1, 8), pair) < 1e-3
    empty = pair._replace(regions=torch.zeros_like(pair.regions))
    said = torch.ones(1, 8, requires_grad=True)
    assert image_error(said, empty) < 1e-3


def test_what_comes_from_outside_the_moving_image_does_not_count():
    moving = torch.ones(1, 1, 64, 64)
    found, inside = warped(moving, torch.tensor([[0.0, 0.0, 0.5, 0.0]]))
    assert inside[0, :, :47].all()
    assert not inside[0, :, 48:].any()
    assert torch.equal(found * inside, inside)
    assert (found[0, :, 49:] == 0).all()
