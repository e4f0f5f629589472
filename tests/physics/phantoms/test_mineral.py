"""Beer-Lambert along chords."""

from __future__ import annotations

import numpy as np
import pytest

from lamella.physics.phantoms.bone import Chords
from lamella.physics.phantoms.mineral import MINERAL, bone_absorbance


def _chords(cortical_mm: float, spongy_mm: float, size: int = 120) -> tuple[Chords, tuple]:
    along, across = np.meshgrid(np.arange(size) * 0.1, np.arange(size) * 0.1 - 6, indexing="ij")
    full = np.ones_like(along)
    chords = Chords(cortical_mm=cortical_mm * full, spongy_mm=spongy_mm * full, inside=full > 0)
    return chords, (across, along)


@pytest.mark.parametrize("name", ["upper", "lower"])
def test_no_path_no_absorbance(name):
    assert not bone_absorbance(*_chords(0, 0)[:1], name, _chords(0, 0)[1], 0).any()


@pytest.mark.parametrize("name", ["upper", "lower"])
def test_absorbance_is_proportional_to_path(name):
    one, two = (bone_absorbance(c, name, xy, 7) for c, xy in (_chords(0.5, 4), _chords(1, 8)))
    np.testing.assert_allclose(two, 2 * one, rtol=1e-6)
    assert (one > 0).all()


@pytest.mark.parametrize("name", ["upper", "lower"])
def test_mean_absorbance_of_cortex_is_coefficient_times_path(name):
    chords, coordinates = _chords(2.0, 0.0)
    mean = np.mean([bone_absorbance(chords, name, coordinates, seed).mean() for seed in range(6)])
    assert mean == pytest.approx(2.0 * MINERAL[name].cortical_per_mm, rel=0.05)
