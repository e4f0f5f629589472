"""The width network: heat maps give sub-pixel places, zoom changes widths, training learns."""

import numpy as np
import pytest
import torch

from lamella.io.datasets import PUBLISHED_SPACING_MM
from lamella.training.width_images import CUTS_MM, WidthImages
from lamella.training.width_network import (
    CROP_PX,
    STRIDE,
    Pace,
    Read,
    Stage,
    WidthNetwork,
    fit_stage,
    loss,
    new_network,
    predict,
    standardised,
    varied,
)

SMALL = (4, 8, 16, 16)


def slots(widths_mm: np.ndarray, seed: int = 0) -> WidthImages:
    """Two bright bars with a dark gap of so many mm between them, edges at sub-pixels."""
    rng = np.random.default_rng(seed)
    rows = np.arange(128)[:, None]
    images = []
    for width in widths_mm / (2 * PUBLISHED_SPACING_MM):
        centre = 66.0 + rng.uniform(-3, 3)
        dark = np.clip(0.5 * width - np.abs(rows - centre) + 0.5, 0, 1) * np.ones(128)
        images.append(np.round(200 - 150 * dark + rng.normal(0, 3, (128, 128))))
    return WidthImages(
        images=np.clip(images, 0, 255).astype(np.uint8),
        width_mm=widths_mm.astype(np.float32),
        joints=np.array([str(number) for number in range(len(widths_mm))]),
        numbers=np.arange(len(widths_mm)),
    )


def test_a_gap_of_heat_maps_is_their_distance_in_mm_at_sub_pixels():
    network = WidthNetwork(SMALL)
    rows, cols = (length // STRIDE for length in CROP_PX)
    maps = torch.full((1, 3, rows, cols), -1e3)
    maps[:, 0, 5] = 0.0
    maps[:, 1, 8] = maps[:, 1, 9] = 0.0
    step_mm = STRIDE * 2 * PUBLISHED_SPACING_MM
    assert float(network._gap(maps)) == pytest.approx(3.5 * step_mm, abs=1e-5)


def test_columns_without_weight_do_not_count():
    network = WidthNetwork(SMALL)
    rows, cols = (length // STRIDE for length in CROP_PX)
    maps = torch.full((1, 3, rows, cols), -1e3)
    maps[:, 0, 5], maps[:, 1, 8] = 0.0, 0.0
    maps[:, 1, :, 0], maps[:, 1, 19, 0] = -1e3, 0.0
    maps[:, 2, :, 1:] = 0.0
    step_mm = STRIDE * 2 * PUBLISHED_SPACING_MM
    assert float(network._gap(maps)) == pytest.approx(3.0 * step_mm, abs=1e-5)


def test_the_network_has_the_size_it_says():
    count = sum(parameter.numel() for parameter in WidthNetwork().parameters())
    assert 0.2e6 < count < 0.5e6


def test_the_loss_is_the_documented_one():
    read = Read(torch.tensor([0.9]), torch.zeros(1, 4))
    # 0.6 mm off is 1 scale: smooth L1 with beta 0.5 is 1 - 0.25; logits of 0 cost ln 2.
    assert float(loss(read, torch.tensor([0.3]))) == pytest.approx(0.75 + 0.3 * np.log(2))
    sure = 50.0 * (2.0 * (torch.tensor([[0.3]]) < torch.tensor(CUTS_MM)).float() - 1.0)
    assert float(loss(Read(torch.tensor([0.3]), sure), torch.tensor([0.3]))) < 1e-6


def test_zooming_widens_the_gap_by_the_zoom_it_returns():
    images = slots(np.full(24, 4.0))
    grey = torch.from_numpy(images.images)[:, None].float() / 255.0
    crops, zoom = varied(grey, np.random.default_rng(0))
    assert crops.shape == (24, 1, *CROP_PX)
    assert float(zoom.max() / zoom.min()) > 1.1
    # The part of the crop that is dark is the gap, over the crop's height, whatever the turn.
    dark = (crops < 0).float()[:, :, :, 20:76].mean(dim=(1, 2, 3)) * CROP_PX[0]
    expected = zoom * 4.0 / (2 * PUBLISHED_SPACING_MM)
    assert np.corrcoef(dark.numpy(), expected.numpy())[0, 1] > 0.95
    assert float((dark - expected).abs().max()) < 2.0


def test_standardised_crops_forget_gain_and_offset():
    crops = torch.rand(2, 1, *CROP_PX, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(standardised(crops), standardised(0.5 * crops + 0.2), atol=2e-2)
    assert float(standardised(crops).mean().abs()) < 1e-4


def test_training_learns_widths_and_classes_and_repeats_itself():
    rng = np.random.default_rng(3)
    seen, unseen = (slots(rng.uniform(0.0, 2.0, count), count) for count in (60, 30))
    stage = Stage(images=seen, steps=60, learning_rate=5e-3)
    pace = Pace(batch=12, warmup_steps=5)
    network = fit_stage(new_network(0, SMALL), stage, pace, (0, 0))
    read = predict(network, unseen)
    error = read.width_mm - unseen.width_mm
    assert np.abs(error).mean() < 0.35 * unseen.width_mm.std()
    assert read.narrowing[np.argmin(unseen.width_mm)] > read.narrowing[np.argmax(unseen.width_mm)]
    short = Stage(images=seen, steps=3, learning_rate=5e-3)
    pair = [fit_stage(new_network(0, SMALL), short, pace, (0, 0)) for _ in range(2)]
    for first, second in zip(*(each.state_dict().values() for each in pair), strict=True):
        assert torch.equal(first, second)


def test_mirrored_images_read_the_same():
    images = slots(np.array([0.5, 1.5]))
    network = new_network(1, SMALL).eval()
    mirrored = WidthImages(**(vars(images) | {"images": images.images[:, :, ::-1].copy()}))
    assert np.allclose(predict(network, images).width_mm, predict(network, mirrored).width_mm)
