"""Bones drawn from a seed."""

import numpy as np
import pytest

from lamella.physics.phantoms.anatomy import AnatomySpec, metacarpal, phalanx

ACROSS_MM, ALONG_MM = np.meshgrid(np.linspace(-11, 11, 90), np.linspace(-11, 11, 90))


def thickness_mm(bone) -> np.ndarray:
    chords = bone.chords(ACROSS_MM, ALONG_MM)
    return chords.cortical_mm + chords.spongy_mm


def width_mm(bone) -> float:
    columns = np.flatnonzero((thickness_mm(bone) > 0).any(axis=0))
    return float(ACROSS_MM[0, columns[-1]] - ACROSS_MM[0, columns[0]])


@pytest.mark.parametrize("seed", range(5))
def test_bones_have_the_size_of_an_adult_hand(seed: int) -> None:
    spec = AnatomySpec(seed=seed)
    assert 11 <= width_mm(phalanx(spec)) <= 19
    assert 10 <= width_mm(metacarpal(spec)) <= 19


def test_a_seed_draws_the_same_bone_again() -> None:
    first, again, other = (thickness_mm(phalanx(AnatomySpec(seed=k))) for k in (3, 3, 4))
    assert np.array_equal(first, again)
    assert np.abs(first - other).max() > 0.5


def test_scale_enlarges_both_bones() -> None:
    for make in (phalanx, metacarpal):
        large, small = (thickness_mm(make(AnatomySpec(scale=k))).sum() for k in (1.1, 0.9))
        assert large > 1.2 * small


def test_erosion_takes_bone_away_and_osteophyte_adds_some() -> None:
    sound = thickness_mm(metacarpal(AnatomySpec(seed=2)))
    eroded = thickness_mm(metacarpal(AnatomySpec(seed=2, erosion=0.8)))
    grown = thickness_mm(metacarpal(AnatomySpec(seed=2, osteophyte=0.8)))
    assert eroded.sum() < sound.sum() < grown.sum()
