"""Absorbance algebra: laws, on NumPy and torch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lamella.physics import formation

GREY = 1 / 255
images = arrays(np.float32, (6, 7), elements=st.floats(0, 1, width=32))


@given(images)
@settings(max_examples=50)
def test_intensity_inverts_absorbance_below_saturation(image: np.ndarray) -> None:
    again = formation.intensity(formation.absorbance(image, GREY))
    sound = ~formation.saturated(image, GREY)
    assert np.abs(again - image)[sound].max(initial=0) <= 1e-6


def test_absorbance_is_beer_lambert() -> None:
    image = np.array([[0.0, 0.5, 1 - np.exp(-2.0)]])
    assert formation.absorbance(image, GREY) == pytest.approx(np.array([[0.0, np.log(2), 2.0]]))


def test_saturated_pixels_are_clipped_at_half_a_grey_level() -> None:
    white = np.ones((2, 2), np.float32)
    assert formation.saturated(white, GREY).all()
    assert formation.absorbance(white, GREY) == pytest.approx(-np.log(GREY / 2), rel=1e-5)
    assert not formation.saturated(white - GREY, GREY).any()


@given(images, images, images, st.integers(0, 3))
@settings(max_examples=50)
def test_split_recomposes_whatever_the_estimates_are(
    image: np.ndarray, soft: np.ndarray, share: np.ndarray, kind: int
) -> None:
    observed = formation.absorbance(image, GREY)
    presence = np.stack([np.full((6, 7), kind & 1), np.full((6, 7), kind >> 1)]).astype(np.float32)
    shares = formation.shares_of_present(np.stack([4 * share, -share]), presence)
    layer, bones = formation.split_by_shares(observed, 5 * soft, shares)
    assert (layer >= 0).all()
    assert (layer <= observed + 1e-6).all()
    assert (bones >= 0).all()
    assert np.abs(formation.superpose(layer, bones) - observed).max() <= 2e-6
    if kind == 0:
        assert np.array_equal(layer, observed)


def test_order_of_bones_is_irrelevant() -> None:
    rng = np.random.default_rng(0)
    soft, bones = rng.random((5, 5)), rng.random((3, 5, 5))
    assert formation.superpose(soft, bones) == pytest.approx(formation.superpose(soft, bones[::-1]))


def test_a_zero_bone_changes_nothing() -> None:
    rng = np.random.default_rng(1)
    soft, bones = rng.random((5, 5)), rng.random((2, 5, 5))
    more = np.concatenate([bones, np.zeros((1, 5, 5))])
    assert np.array_equal(formation.superpose(soft, more), formation.superpose(soft, bones))


def test_bls_gan_equation_1_is_the_sum_of_absorbances() -> None:
    rng = np.random.default_rng(2)
    k = 0.7
    masks = rng.random((2, 8, 8)) > 0.4
    bones = rng.random((2, 8, 8)) * masks
    layers = formation.intensity(-np.log(k) + bones)
    soft = np.full((8, 8), -np.log(k))
    joint = formation.intensity(formation.superpose(soft, bones)) * masks.any(axis=0)
    printed = formation.bls_gan_composition(layers, masks.astype(float), k)
    assert printed == pytest.approx(joint, abs=1e-12)


def test_bls_gan_equation_1_in_its_two_special_cases() -> None:
    first, second, k = 0.6, 0.7, 0.8
    layers = np.array([[[first]], [[second]]])
    both = formation.bls_gan_composition(layers, np.ones((2, 1, 1)), k)
    alone = formation.bls_gan_composition(layers, np.array([[[1.0]], [[0.0]]]), k)
    assert both.item() == pytest.approx(1 - (1 - first) * (1 - second) / k)
    assert alone.item() == pytest.approx(first)


def test_shares_fade_with_their_matte_and_add_up_to_one() -> None:
    presence = np.array([[[1.0, 1.0, 0.0, 0.5]], [[0.0, 1.0, 0.0, 0.5]]])
    shares = formation.shares_of_present(np.zeros((2, 1, 4)), presence)
    assert shares[:, 0].tolist() == [[1.0, 0.5, 0.0, 0.5], [0.0, 0.5, 0.0, 0.5]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_torch_agrees_with_numpy_and_has_gradients(dtype: torch.dtype) -> None:
    rng = np.random.default_rng(3)
    image, logits = rng.random((6, 6)) * 0.9, rng.standard_normal((2, 6, 6))
    soft, presence = rng.random((6, 6)) * 0.3, np.ones((2, 6, 6))
    tensors = [torch.tensor(a, dtype=dtype, requires_grad=True) for a in (image, logits, soft)]
    found = _split(*tensors, torch.ones(2, 6, 6, dtype=dtype))
    assert found.detach().numpy() == pytest.approx(_split(image, logits, soft, presence), abs=1e-5)
    found.sum().backward()
    assert all(torch.isfinite(tensor.grad).all() for tensor in tensors)


def _split(image, logits, soft, presence):
    shares = formation.shares_of_present(logits, presence)
    return formation.split_by_shares(formation.absorbance(image, GREY), soft, shares)[1]
