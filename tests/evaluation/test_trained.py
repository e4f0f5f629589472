"""Networks of a folder become rows that separate as the networks say."""

import json
from pathlib import Path

import numpy as np
import pytest

import joints
from lamella.evaluation.rows import standing_rows
from lamella.evaluation.trained import all_rows, trained_rows
from lamella.methods.bls_gan.networks import BlsGan
from lamella.methods.inpainting.networks import InpaintingNetwork
from lamella.methods.shares.networks import SharesNetwork
from lamella.nets.backbones import backbone
from lamella.records import LamellaError
from lamella.training.export import export_onnx

WIDTHS = (8, 8, 8, 8)
NETWORKS = {
    "exact": ("shares", lambda: SharesNetwork(WIDTHS), 4, ("shares",)),
    "as-published": ("bls-gan", lambda: BlsGan(backbone("light", widths=WIDTHS)), 3, ("l", "k")),
    "inpainting": ("inpainting", lambda: InpaintingNetwork(WIDTHS), 3, ("layer",)),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained networks with cards, each in a folder of its own."""
    root = tmp_path_factory.mktemp("networks")
    for name, (kind, make, channels, outputs) in NETWORKS.items():
        place = root / name
        place.mkdir()
        export_onnx(make(), place / f"{name}.onnx", channels, outputs)
        (place / f"{name}.json").write_text(json.dumps({"kind": kind}))
        (place / "recipe.json").write_text("{}")
    return root


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_every_kind_of_network_gives_layers_and_their_recomposition(folder, name):
    overlapping = joints.phantom()
    radiograph = joints.radiograph_of(overlapping)
    made = trained_rows(folder)[name](radiograph, dict(overlapping.masks))
    assert [layer.shape for layer in made.layers] == [radiograph.shape] * 2
    alone = overlapping.masks["upper"] & ~overlapping.masks["lower"]
    outside = ~(overlapping.masks["upper"] | overlapping.masks["lower"])
    np.testing.assert_allclose(made.recomposed[outside], radiograph.pixels[outside], atol=1e-6)
    if name == "as-published":
        np.testing.assert_allclose(made.recomposed[alone], made.layers[0][alone], atol=1e-5)
    else:
        assert np.median(np.abs(made.layers[0] - radiograph.pixels)[alone]) < 1e-6
    if name == "exact":
        np.testing.assert_allclose(made.recomposed, radiograph.pixels, atol=1e-6)


def test_all_rows_are_the_classical_ones_and_the_folders(folder):
    assert set(all_rows(None)) == set(standing_rows())
    assert set(all_rows(folder)) == set(standing_rows()) | set(NETWORKS)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(LamellaError, match="expected trained networks"):
        trained_rows(tmp_path)


def test_a_network_that_cannot_be_compared_is_refused(tmp_path):
    (tmp_path / "bones.json").write_text("{}")
    (tmp_path / "bones.onnx").write_bytes(b"")
    with pytest.raises(LamellaError, match=r"bones\.json: expected one of shares"):
        trained_rows(tmp_path)
