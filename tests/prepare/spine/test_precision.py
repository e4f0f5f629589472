"""The stated standard deviation is the error's."""

from dataclasses import replace

import numpy as np
import pytest

from lamella.prepare.spine.endplates import (
    frame_along,
    heights_of,
    mapped,
    occupancy_of,
    section,
)
from lamella.prepare.spine.precision import heights_sd
from vertebral import FormulaBody

NAMES = ("anterior", "middle", "posterior", "whole")


def trials(shape: FormulaBody, spacing_mm: float, tilt_deg: float, count: int):
    """(trial, zone) errors and stated standard deviations, mm, for heights over one voxel."""
    rng = np.random.default_rng(5)
    errors, stated = [], []
    for trial in range(count):
        body = replace(shape, height_mm=shape.height_mm + spacing_mm * trial / count)
        ids, affine, axes = body.volume(spacing_mm, rng, tilt_deg=tilt_deg)
        smooth = occupancy_of(ids, affine, "L1")
        surface = mapped(smooth, frame_along(smooth.middle_mm, axes[2], axes[0]))
        sides = section(smooth, surface.frame)
        zones, deviations = heights_of(surface, sides), heights_sd(surface, sides, affine)
        errors.append([zones.of(name) - body.zones.of(name) for name in NAMES])
        stated.append([deviations.of(name) for name in NAMES])
    return np.array(errors), np.array(stated)


@pytest.mark.parametrize("spacing_mm", [1.0, 3.0])
def test_errors_are_of_the_stated_size(spacing_mm: float) -> None:
    errors, stated = trials(FormulaBody(), spacing_mm, 15.0, 6)
    ratio = np.sqrt(np.mean((errors / stated) ** 2))
    assert 0.4 < ratio < 1.4


def test_flat_endplates_along_the_grid_are_known_to_a_voxel_only() -> None:
    body = FormulaBody(wedge=0.0, dish_mm=0.0)
    errors, stated = trials(body, 2.0, 0.0, 8)
    assert stated.mean() == pytest.approx(2.0 * np.sqrt(2 / 12), rel=0.1)
    assert 0.5 < np.sqrt(np.mean(errors**2)) / stated.mean() < 1.6


def test_tilt_and_finer_voxels_help() -> None:
    flat = trials(FormulaBody(wedge=0.0, dish_mm=0.0), 2.0, 0.0, 2)[1].mean()
    tilted = trials(FormulaBody(wedge=0.0, dish_mm=0.0), 2.0, 20.0, 4)[1].mean()
    fine = trials(FormulaBody(wedge=0.0, dish_mm=0.0), 1.0, 0.0, 2)[1].mean()
    assert tilted < 0.6 * flat
    assert fine == pytest.approx(flat / 2, rel=0.1)
