"""The layer around the bones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lamella.physics.phantoms.soft import VEIL, SoftTissueSpec, soft_absorbance

AXIS_MM = np.linspace(-10, 10, 100)
UP_MM, RIGHT_MM = np.meshgrid(-AXIS_MM, AXIS_MM, indexing="ij")


@pytest.mark.parametrize("seed", range(4))
def test_absorbance_is_positive_near_its_level_and_rises_to_the_palm(seed):
    spec = SoftTissueSpec(level=0.3, gradient=0.3, seed=seed)
    soft = soft_absorbance(spec, RIGHT_MM, UP_MM)
    assert soft.min() > 0
    assert np.median(soft) == pytest.approx(0.33, abs=0.06)
    assert soft[-20:].mean() > soft[:20].mean()


def test_level_scales_tissue():
    spec = SoftTissueSpec(seed=1)
    thin, thick = (soft_absorbance(replace(spec, level=x), RIGHT_MM, UP_MM) for x in (0.2, 0.4))
    np.testing.assert_allclose(thick - VEIL, 2 * (thin - VEIL), rtol=1e-9)


def test_air_darkens_one_side_only():
    soft = soft_absorbance(SoftTissueSpec(air=True, seed=2), RIGHT_MM, UP_MM)
    sides = sorted([soft[:, 0].mean(), soft[:, -1].mean()])
    assert sides[0] < 0.15 < 0.2 < sides[1]
