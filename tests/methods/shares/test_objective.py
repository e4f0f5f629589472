"""What the share network minimises: errors of the layers that its shares imply."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lamella.methods.shares.objective import (
    SharesBatch,
    SharesLayers,
    layers_loss,
    layers_of,
    shares_loss,
)

SOFT, UPPER, LOWER, SCALE = 0.3, 0.4, 0.2, 0.5
SHARE_LOGIT = float(np.log(UPPER / LOWER))


class Says(nn.Module):
    """A network that answers the same everywhere and can learn what to answer."""

    def __init__(self, share: float, log_sd: float = -3.0, soft: float = 0.0) -> None:
        super().__init__()
        self.share, self.log_sd, self.soft = (
            nn.Parameter(torch.tensor(value)) for value in (share, log_sd, soft)
        )

    def forward(self, features: Tensor) -> Tensor:
        answer = torch.stack([self.share, self.log_sd, self.soft])
        return answer[None, :, None, None].expand(len(features), 3, *features.shape[2:])


def a_batch(size: int = 1, **changes: Tensor) -> SharesBatch:
    """Two flat bones that lie over one another everywhere, soft tissue known."""
    flat = torch.ones(size, 16, 16)
    batch = SharesBatch(
        absorbance=(SOFT + UPPER + LOWER) * flat,
        soft=SOFT * flat,
        upper_matte=flat,
        lower_matte=flat,
        window=flat,
        true_soft=SOFT * flat,
        true_upper=UPPER * flat,
        overlap=flat,
        scale=torch.full((size,), SCALE),
    )
    return batch._replace(**changes)


def test_layers_are_the_shares_of_the_bone_absorbance():
    layers = layers_of(Says(SHARE_LOGIT), a_batch())
    for found, expected in zip(layers, (SOFT, UPPER, LOWER, np.exp(-3.0)), strict=True):
        assert found.detach().numpy() == pytest.approx(np.full((1, 16, 16), expected), abs=1e-5)


@pytest.mark.parametrize(("share", "soft"), [(3.0, 0.7), (-50.0, -9.0), (0.0, 9.0)])
def test_layers_add_up_whatever_the_network_says(share, soft):
    batch = a_batch()
    layers = layers_of(Says(share, soft=soft), batch)
    torch.testing.assert_close(layers.soft + layers.upper + layers.lower, batch.absorbance)
    assert min(layer.min().item() for layer in layers[:3]) >= 0


def test_the_correction_is_in_units_of_the_scale_and_stays_in_its_window():
    window = torch.zeros(1, 16, 16)
    window[:, :8] = 1.0
    soft = layers_of(Says(0.0, soft=0.2), a_batch(window=window)).soft
    assert soft[:, :8].detach().numpy() == pytest.approx(SOFT + 0.2 * SCALE)
    assert soft[:, 8:].detach().numpy() == pytest.approx(SOFT)


def test_features_do_not_depend_on_the_exposure():
    """Twice the absorbance at twice the scale looks the same to the network."""
    seen = []

    class Watches(Says):
        def forward(self, features: Tensor) -> Tensor:
            seen.append(features)
            return super().forward(features)

    batch = a_batch()
    double = batch._replace(
        absorbance=2 * batch.absorbance, soft=2 * batch.soft, scale=2 * batch.scale
    )
    for each in (batch, double):
        layers_of(Watches(0.0), each)
    torch.testing.assert_close(seen[0], seen[1])
    assert seen[0].shape == (1, 4, 16, 16)


def test_the_true_split_costs_least():
    losses = [shares_loss(Says(SHARE_LOGIT + off), a_batch())[0].item() for off in (-0.5, 0.0, 0.5)]
    assert losses[1] < min(losses[0], losses[2]) - 0.01


def test_a_wrong_soft_tissue_costs():
    right, wrong = (
        shares_loss(Says(SHARE_LOGIT, soft=soft), a_batch())[1]["soft"].item()
        for soft in (0.0, 0.1)
    )
    assert right == pytest.approx(0.0, abs=1e-4)
    assert wrong > 1.0


def test_psnr_by_hand():
    """Equal shares: both bones get 0.3, so the layer images miss by known amounts."""
    _, parts = shares_loss(Says(0.0), a_batch())
    image = 1 - np.exp(-(SOFT + 0.3))
    errors = [image - (1 - np.exp(-(SOFT + bone))) for bone in (UPPER, LOWER)]
    assert parts["psnr"].item() == pytest.approx(-10 * np.log10(np.mean(np.square(errors))), 1e-4)


def test_errors_outside_the_overlap_do_not_count_in_psnr():
    overlap = torch.zeros(1, 16, 16)
    overlap[:, 4:8] = 1.0
    wrong = torch.full((1, 16, 16), 0.1)
    wrong[:, 4:8] = UPPER
    batch = a_batch(overlap=overlap, true_upper=wrong)
    assert shares_loss(Says(SHARE_LOGIT), batch)[1]["psnr"].item() > 100


def test_each_sample_weighs_the_same_however_large_its_overlap():
    """A small overlap that is wrong and a large one that is right: the mean is halfway."""
    overlap = torch.ones(2, 16, 16)
    overlap[0, 1:] = 0.0
    true_upper = torch.full((2, 16, 16), UPPER)
    true_upper[0] = 0.3
    both = shares_loss(Says(SHARE_LOGIT), a_batch(2, overlap=overlap, true_upper=true_upper))
    alone = shares_loss(Says(SHARE_LOGIT), a_batch(true_upper=torch.full((1, 16, 16), 0.3)))
    mse = [10 ** (-0.1 * parts["psnr"].item()) for _, parts in (both, alone)]
    assert mse[0] == pytest.approx(mse[1] / 2, rel=1e-3)


def test_samples_without_overlap_are_left_out():
    overlap = torch.ones(2, 16, 16)
    overlap[1] = 0.0
    with_empty = shares_loss(Says(0.0), a_batch(2, overlap=overlap))[1]["psnr"]
    assert with_empty.item() == pytest.approx(shares_loss(Says(0.0), a_batch())[1]["psnr"].item())


def test_the_likelihood_trains_the_uncertainty_alone():
    network = Says(0.3)
    shares_loss(network, a_batch())[1]["nll"].backward()
    assert network.log_sd.grad.abs() > 0
    assert all(part.grad is None or part.grad == 0 for part in (network.share, network.soft))


def test_the_likeliest_sd_is_the_error_of_the_share():
    """Both layers miss by 0.1 of 0.6 bone absorbance: SD 1/6 is the likeliest."""
    right = float(np.log(0.1 / 0.6))
    nll = [
        shares_loss(Says(0.0, log_sd=right + off), a_batch())[1]["nll"].item()
        for off in (-0.2, 0.0, 0.2)
    ]
    assert nll[1] < min(nll[0], nll[2])


def drawn(size: int = 4) -> tuple[SharesLayers, SharesBatch]:
    """Layers and truths that differ everywhere; overlaps of different sizes, edges around."""
    rng = np.random.default_rng(0)
    maps = rng.uniform(0.1, 0.5, (7, size, 12, 16)).astype(np.float32)
    soft, upper, lower, true_soft, true_upper, true_lower, _ = maps
    overlap, edge = np.zeros((2, size, 12, 16), np.float32)
    for sample in range(size):
        overlap[sample, 4 : 6 + sample, 4:12], edge[sample, 3 : 7 + sample, 3:13] = 1.0, 0.7
    tensors = {
        "absorbance": true_soft + true_upper + true_lower,
        "soft": soft,
        "upper_matte": edge,
        "lower_matte": np.maximum(edge, 0.2 * (rng.random(edge.shape) > 0.5)).astype(np.float32),
        "window": rng.random(edge.shape).astype(np.float32),
        "true_soft": true_soft,
        "true_upper": true_upper,
        "overlap": overlap,
        "scale": np.full(size, SCALE, np.float32),
    }
    share_sd = rng.uniform(0.05, 0.5, soft.shape).astype(np.float32)
    layers = (torch.from_numpy(each) for each in (soft, upper, lower, share_sd))
    batch = SharesBatch(**{name: torch.from_numpy(each) for name, each in tensors.items()})
    return SharesLayers(*layers), batch


def mean_over_samples(values: np.ndarray, weight: np.ndarray) -> float:
    """Weighted mean of each sample that weighs anything, then the mean of these."""
    means = [(v * w).sum() / w.sum() for v, w in zip(values, weight, strict=True) if w.any()]
    return float(np.mean(means))


def by_formula(layers: SharesLayers, batch: SharesBatch) -> tuple[float, float, float]:
    """Loss, soft-tissue error and likelihood, written out in NumPy."""
    soft, upper, lower, sd = (np.asarray(each, np.float64) for each in layers)
    made = {name: np.asarray(getattr(batch, name), np.float64) for name in SharesBatch._fields}
    true_lower = made["absorbance"] - made["true_soft"] - made["true_upper"]
    pairs = [(upper, made["true_upper"]), (lower, true_lower)]
    errors = [np.exp(-(made["true_soft"] + true)) - np.exp(-(soft + bone)) for bone, true in pairs]
    sizes = np.abs(np.stack(errors)) / 0.02
    pixelwise = np.where(sizes <= 3, 0.5 * sizes**2, 3 * sizes - 4.5).mean(axis=0)
    both = made["upper_matte"] * made["lower_matte"]
    off_soft = mean_over_samples(np.abs(soft - made["true_soft"]) / 0.02, made["window"])
    off = [(soft + bone - made["true_soft"] - true) / (upper + lower) for bone, true in pairs]
    nll = 0.25 * (off[0] ** 2 + off[1] ** 2) / sd**2 + np.log(sd)
    likelihood = mean_over_samples(nll, 0.5 * (made["overlap"] + (both > 0)))
    data, edge = (mean_over_samples(pixelwise, weight) for weight in (made["overlap"], both))
    return data + 0.2 * edge + 0.05 * off_soft + 0.05 * likelihood, off_soft, likelihood


def test_the_loss_by_its_formula():
    layers, batch = drawn()
    loss, parts = layers_loss(layers, batch)
    expected, off_soft, likelihood = by_formula(layers, batch)
    assert loss.item() == pytest.approx(expected, rel=1e-4)
    assert parts["soft"].item() == pytest.approx(off_soft, rel=1e-4)
    assert parts["nll"].item() == pytest.approx(likelihood, rel=1e-4)


def test_the_networks_loss_is_that_of_its_layers():
    batch = a_batch()
    network = Says(0.3, soft=0.1)
    expected, parts = layers_loss(layers_of(network, batch), batch)
    loss, its_parts = shares_loss(network, batch)
    assert loss.item() == expected.item()
    assert {name: part.item() for name, part in its_parts.items()} == {
        name: part.item() for name, part in parts.items()
    }


def test_equal_slices_have_the_batchs_loss_on_average():
    """Where every sample has an overlap: what several processes rely on."""
    layers, batch = drawn()
    parts = [
        layers_loss(
            SharesLayers(*(each[rank::2] for each in layers)),
            SharesBatch(*(each[rank::2] for each in batch)),
        )[0].item()
        for rank in (0, 1)
    ]
    assert np.mean(parts) == pytest.approx(layers_loss(layers, batch)[0].item(), rel=1e-5)


def test_a_batch_without_any_overlap_has_a_finite_loss_and_psnr():
    """A small crop can miss the overlap: the run goes on."""
    nowhere = torch.zeros(1, 16, 16)
    loss, parts = shares_loss(Says(0.3), a_batch(overlap=nowhere))
    assert loss.isfinite()
    assert all(part.isfinite() for part in parts.values())
