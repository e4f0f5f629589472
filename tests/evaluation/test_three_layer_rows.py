"""Networks of LSN in a folder become rows beside those that ship."""

import json

import numpy as np
import pytest

import joints
import laws
from lamella.evaluation.rows import LAMELLA
from lamella.evaluation.three_layer_rows import EXACT, SHIPPED, three_layer_rows, trained_layers
from lamella.methods.lsn.networks import LayerNetwork, SoftSharesNetwork
from lamella.nets.backbones import backbone
from lamella.records import LamellaError
from lamella.training.export import export_onnx

WIDTHS = (8, 8, 8, 8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("networks")
    networks = {
        "lsn": ("soft-shares", SoftSharesNetwork(WIDTHS), ("shares",)),
        "lsn-reconstruction": ("lsn", LayerNetwork(backbone("light", widths=WIDTHS)), ("layers",)),
    }
    for name, (kind, network, outputs) in networks.items():
        (root / name).mkdir()
        export_onnx(network, root / name / f"{name}.onnx", 4, outputs)
        (root / name / f"{name}.json").write_text(json.dumps({"kind": kind}))
        (root / name / "recipe.json").write_text("{}")
    (root / "other.json").write_text(json.dumps({"kind": "inpainting"}))
    (root / "other.onnx").write_bytes(b"")
    return root


def test_a_folder_gives_a_row_per_network_of_lsn(folder):
    assert set(trained_layers(folder)) == {"lsn", "lsn-reconstruction"}
    assert set(three_layer_rows(folder)) == set(three_layer_rows()) | set(trained_layers(folder))


def test_the_exact_one_recomposes_and_the_other_does_as_its_network_says(folder):
    phantom = joints.coarse_phantom()
    radiograph = joints.radiograph_of(phantom)
    rows = trained_layers(folder)
    exact = rows["lsn"](radiograph, phantom.masks)
    laws.recomposes(exact)
    published = rows["lsn-reconstruction"](radiograph, phantom.masks)
    assert np.abs(published.residual()).max() > 0.01


def test_shipped_rows_have_names_and_the_exact_ones_recompose():
    rows = three_layer_rows()
    assert next(iter(rows)) == LAMELLA
    phantom = joints.coarse_phantom()
    for method in EXACT:
        laws.recomposes(rows[SHIPPED[method]](joints.radiograph_of(phantom), phantom.masks))


def test_a_folder_without_lsn_is_refused(tmp_path):
    with pytest.raises(LamellaError, match="expected networks of LSN"):
        trained_layers(tmp_path)
