"""What the share network minimises: errors of the layers that its shares imply."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lamella.methods.shares.objective import SharesBatch, layers_of, shares_loss

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
