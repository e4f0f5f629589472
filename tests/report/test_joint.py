"""Figures and sentences about one joint."""

import numpy as np
import pytest

from lamella.records import Layers
from lamella.report.joint import badges, compared, facts, residual_map, spread_map, story


def test_exact_layers_are_called_exact(layers: Layers) -> None:
    shown = residual_map(layers)
    assert shown["exact"]
    assert float(shown["largest"]) < 1e-3
    assert float(shown["scale"]) == 0.5


def test_layers_that_do_not_add_up_are_not(layers: Layers) -> None:
    layers.bone_absorbance["upper"][40, 40] += 0.5
    shown = residual_map(layers)
    assert not shown["exact"]
    assert float(shown["largest"]) > 1


def test_spread_is_shown_with_the_interval_it_implies(layers: Layers) -> None:
    shown = spread_map(layers)
    inside = layers.masks.overlap
    width = 1.645 * 255 * np.median(layers.share_sd_in_intensity("upper")[inside])
    assert float(dict(shown["widths"])["upper"]) == pytest.approx(width, rel=0.06)
    assert shown["scale"] == "0.080"


def test_comparison_with_the_truth(layers: Layers) -> None:
    true = layers.bone_image("upper") - np.float32(0.01)
    shown = compared(layers, "upper", true)
    assert shown["psnr"] == "40.0 dB"
    assert shown["rmse_intensity"] == "0.0100"
    assert shown["where"] == "in the overlap"
    assert compared(layers, "lower", layers.bone_image("lower"))["psnr"] == "no error"


def test_story_counts_the_overlap(layers: Layers) -> None:
    assert f"{int(layers.masks.overlap.sum())} pixels" in story(layers)
    layers.masks["upper"][layers.masks.overlap] = False
    assert "do not overlap" in story(layers)


def test_facts_name_the_spacing_and_its_source(layers: Layers) -> None:
    told = dict(facts(layers))
    assert told["Pixel spacing"] == "0.1 mm per pixel, given by the user"
    assert "0.93" in told["Segmentation"]


def test_flags_and_warnings_become_badges(layers: Layers) -> None:
    object.__setattr__(layers.masks, "flags", ("sesamoid?",))
    object.__setattr__(layers.radiograph, "warnings", ("looks inverted",))
    assert {("alert", "sesamoid?"), ("warning", "looks inverted")} <= set(badges(layers))
