"""The classifier, its attention and its export."""

import numpy as np
import onnxruntime
import pytest
import torch

from lamella.methods.healthivert.cam import attention_map
from lamella.methods.healthivert.classifier import OUTPUTS, SHRINK, Classifier, ExcitedBlock
from lamella.training.export import export_onnx, load_weights

WIDTHS = (8, 8, 16)


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    network = Classifier(WIDTHS).eval()
    with torch.no_grad():  # no two alike, as after training: the exporter stores equal ones once
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return network


def test_the_logit_is_the_mean_of_the_weighed_features(small):
    slices = torch.randn(2, 1, 48, 32)
    verdict = small(slices)
    features = small.features(slices)
    assert features.min() >= 0.0
    expected = features.mean(dim=(2, 3)) @ small.linear.weight[0] + small.linear.bias
    torch.testing.assert_close(verdict.logit[:, 0], expected)


def test_heat_is_the_closed_form_map_on_the_slices_grid():
    torch.manual_seed(0)
    network = Classifier().eval()
    slices = torch.randn(2, 1, 48, 32)
    verdict = network(slices)
    assert verdict.heat.shape == slices.shape
    features = network.features(slices)
    assert features.shape[2:] == (48 // SHRINK, 32 // SHRINK)
    evidence = attention_map(features, network.linear.weight[0])
    probability = torch.sigmoid(verdict.logit[:, 0])
    shrunk = torch.nn.functional.avg_pool2d(verdict.heat, SHRINK)[:, 0, 1:-1, 1:-1]
    expected = probability[:, None, None] * evidence / (1 + evidence)
    assert (
        torch.corrcoef(torch.stack([shrunk.flatten(), expected[:, 1:-1, 1:-1].flatten()]))[0, 1]
        > 0.9
    )
    assert float(verdict.heat.detach().min()) >= 0.0
    assert float(verdict.heat.detach().max()) <= float(probability.detach().max())


def test_a_slice_that_is_not_fractured_is_not_hot(small):
    slices = torch.randn(1, 1, 48, 32)
    state = {name: value.clone() for name, value in small.state_dict().items()}
    with torch.no_grad():
        small.linear.bias.fill_(-8.0)
        cold = small(slices).heat.max()
        small.linear.bias.fill_(8.0)
        hot = small(slices).heat.max()
    small.load_state_dict(state)
    assert cold < 1e-3 * (hot / 0.99)


def test_channels_are_excited_by_the_whole_slice():
    torch.manual_seed(0)
    block = ExcitedBlock(8, 16)
    features = torch.randn(1, 8, 8, 8)
    inner = block.second_norm(block.second(torch.relu(block.first_norm(block.first(features)))))
    weights = torch.sigmoid(block.excite(torch.relu(block.squeeze(inner.mean(dim=(2, 3))))))
    expected = torch.relu(inner * weights[..., None, None] + block.shortcut(features))
    torch.testing.assert_close(block(features), expected)


def test_the_exported_classifier_says_the_same_and_returns(small, tmp_path):
    path = tmp_path / "classifier.onnx"
    export_onnx(small, path, 1, OUTPUTS)
    slices = torch.randn(3, 1, 160, 96)
    run = onnxruntime.InferenceSession(str(path))
    found = run.run(None, {"input": slices.numpy()})
    with torch.no_grad():
        for ours, theirs in zip(small(slices), found, strict=True):
            assert theirs == pytest.approx(ours.numpy(), abs=1e-4)
        again = load_weights(Classifier(WIDTHS), path)
        assert np.array_equal(again(slices).logit, small(slices).logit)


def test_it_learns_to_tell_slices_apart():
    torch.manual_seed(0)
    network = Classifier(WIDTHS)
    slices = torch.randn(16, 1, 32, 32)
    fractured = (torch.arange(16) % 2).float()
    slices[fractured > 0, :, 12:20, 12:20] += 2.0
    optimiser = torch.optim.Adam(network.parameters(), 5e-3)
    for _ in range(25):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            network(slices).logit[:, 0], fractured
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < 0.3
    hot = network(slices).heat[fractured > 0, 0].detach()
    assert hot[:, 12:20, 12:20].mean() > 1.05 * hot[:, :6].mean()
