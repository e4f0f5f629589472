"""What is read back is what was written."""

import json

import numpy as np
import pytest

import lamella
from lamella.cli import stored
from lamella.cli.outputs import Origin, described, write_result
from lamella.cli.stored import Shelf, is_same, load_layers, other_results, read_result
from lamella.records import BoneMasks, IntensityScale, LamellaError, Layers, SpacingSource

ORIGIN = Origin(name="joint", input_sha256="00", weights_sha256={"shares": "11"})


@pytest.fixture
def layers(phantom):
    radiograph = lamella.Radiograph(
        pixels=np.clip(1.3 * phantom.intensity, 0, 1),
        pixel_spacing_mm=0.164,
        spacing_source=SpacingSource.CALIBRATED,
        intensity_scale=IntensityScale.LINEAR,
        grey_level=1 / 255,
        source="a name",
        warnings=("beware",),
    )
    masks = BoneMasks(masks=phantom.masks, confidence=0.8, flags=("look",), origin="someone")
    return lamella.separate(radiograph, masks)


@pytest.fixture
def folder(layers, tmp_path):
    return write_result(tmp_path, layers, described(layers, ORIGIN, {}))


def test_layers_come_back_exactly(layers, folder):
    back = load_layers(folder)
    np.testing.assert_array_equal(back.soft_absorbance, layers.soft_absorbance)
    np.testing.assert_array_equal(back.share_sd, layers.share_sd)
    np.testing.assert_array_equal(back.recompose(), layers.recompose())
    assert list(back.bone_absorbance) == ["upper", "lower"]
    for name, bone in layers.bone_absorbance.items():
        np.testing.assert_array_equal(back.bone_absorbance[name], bone)
        np.testing.assert_array_equal(back.masks[name], layers.masks[name])
    assert back.saturated.sum() == layers.saturated.sum() > 0
    same = ("confidence", "flags", "origin", "refused")
    assert all(getattr(back.masks, name) == getattr(layers.masks, name) for name in same)
    fields = set(vars(layers.radiograph)) - {"pixels"}
    assert all(getattr(back.radiograph, f) == getattr(layers.radiograph, f) for f in fields)
    assert back.method == layers.method


def test_layers_on_the_shelf_are_read_when_used(layers, folder, monkeypatch):
    reads = []
    monkeypatch.setattr(stored, "load_layers", lambda path: reads.append(path) or layers)
    lazy = Shelf().layers(folder)
    assert isinstance(lazy, Layers)
    reads.clear()
    assert lazy.masks.flags == ("look",)
    np.testing.assert_array_equal(lazy.recompose(), layers.recompose())
    np.testing.assert_array_equal(lazy.bone_image("upper"), layers.bone_image("upper"))
    assert len(reads) <= 1


def test_the_same_origin_is_recognised(folder):
    assert is_same(folder, ORIGIN)
    for other in (
        Origin(name="joint", input_sha256="01", weights_sha256={"shares": "11"}),
        Origin(name="joint", input_sha256="00", weights_sha256={"shares": "12"}),
        Origin(
            name="joint", input_sha256="00", weights_sha256={"shares": "11"}, given_spacing_mm=0.1
        ),
        Origin(
            name="joint",
            input_sha256="00",
            weights_sha256={"shares": "11"},
            mask_sha256={"upper": "1", "lower": "2"},
        ),
    ):
        assert not is_same(folder, other)
    (folder / "layers.tif").unlink()
    assert not is_same(folder, ORIGIN)


@pytest.mark.parametrize("text", ["", "[]", "{}", "not json"])
def test_a_damaged_record_is_no_result(folder, text):
    (folder / "result.json").write_text(text)
    assert not is_same(folder, ORIGIN)
    with pytest.raises(LamellaError, match="make it again"):
        read_result(folder)


def test_other_results_are_those_that_can_be_read(folder, layers, tmp_path):
    second = described(layers, Origin(name="second", input_sha256="02"), {})
    write_result(tmp_path, layers, second)
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "result.json").write_text(json.dumps({"score": 3}))
    assert other_results(tmp_path, {"joint"}) == [tmp_path / "second"]
