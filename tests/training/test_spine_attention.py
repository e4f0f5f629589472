"""Attention maps of a pool: the classifier's own, kept in a file of their own."""

import numpy as np
import pytest
import torch

from lamella.methods.healthivert.classifier import OUTPUTS, Classifier
from lamella.training.export import export_onnx
from lamella.training.loop import seeded
from lamella.training.spine_attention import attention_of
from lamella.training.spine_crops import grey_of
from lamella.training.spine_pool import SpinePool


@pytest.fixture(scope="module")
def few(spine_pool) -> SpinePool:
    return SpinePool(crops=spine_pool.crops[:2])


@pytest.fixture(scope="module")
def network():
    """A classifier that is sure of everything it sees, so that its maps are not empty."""
    network = seeded(Classifier, 0)
    torch.nn.init.constant_(network.linear.bias, 3.0)
    return network.eval()


@pytest.fixture(scope="module")
def weights(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "classifier.onnx"
    export_onnx(network, path, 1, OUTPUTS)
    return path


def test_maps_are_the_networks_heat_slice_by_slice(few, network, weights, tmp_path):
    maps = attention_of(few, weights, tmp_path)
    assert maps.shape == (2, *few.crops[0].grey.shape)
    assert maps.max() > 20
    for number, left in ((0, 30), (1, 3)):
        seen = torch.from_numpy(grey_of(few.crops[number].grey[left]))[None, None]
        with torch.no_grad():
            heat = network(seen).heat[0, 0].numpy()
        assert np.abs(maps[number, left] / 255.0 - heat).max() < 0.004


def test_maps_are_made_once_for_each_pool_and_network(few, network, weights, tmp_path):
    first = attention_of(few, weights, tmp_path)
    (file,) = tmp_path.iterdir()
    written = file.stat().st_mtime_ns
    np.testing.assert_array_equal(attention_of(few, weights, tmp_path), first)
    assert file.stat().st_mtime_ns == written
    attention_of(SpinePool(crops=few.crops[:1]), weights, tmp_path)
    other = tmp_path / "other.onnx"
    export_onnx(seeded(Classifier, 1).eval(), other, 1, OUTPUTS)
    attention_of(few, other, tmp_path)
    assert len(list(tmp_path.glob("attention-*.npy"))) == 3
