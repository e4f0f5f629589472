"""Visits for the tests of narrowing: pairs made once a run, registrations with a known error."""

from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np
import pytest

from lamella.evaluation import narrowing_cases
from lamella.evaluation.narrowing_pairs import KnownPair, phantom_pair
from lamella.records import JointVisit, RegisteredBone, Similarity
from lamella.tasks.joint_narrowing import Register
from lamella.zoo import narrowing as zoo
from lamella.zoo.narrowing import Comparator

Answer = Callable[[JointVisit, JointVisit], float]
"""Narrowing of two visits, pixels."""


@lru_cache(maxsize=16)
def pair(number: int, *, tilt: bool = False) -> KnownPair:
    """A phantom at two visits, made once a run."""
    return phantom_pair(number, tilt=tilt)


def pairs(count: int = 3, *, tilt: bool = False, **_: object) -> list[KnownPair]:
    """The first phantoms at two visits, the first three of them again and again."""
    return [pair(number % 3, tilt=tilt) for number in range(count)]


def answering(answer: Answer, along_sd_px: float = 0.5, *, looking: bool = False) -> Register:
    """A registration that moves the upper bone so that the narrowing is what a function says.

    Its agreement is 1, or, looking, the correlation of the two radiographs as they are.
    """

    def register(baseline: JointVisit, followup: JointVisit) -> Mapping[str, RegisteredBone]:
        axis = np.mean([baseline.frame.axis, followup.frame.axis], axis=0)
        down, right = -answer(baseline, followup) * axis / np.hypot(*axis)
        images = [visit.radiograph.pixels.ravel() for visit in (baseline, followup)]
        ncc = float(np.corrcoef(*images)[0, 1]) if looking else 1.0
        upper = Similarity(down_px=float(down), right_px=float(right))
        motions = dict(zip(baseline.names, (upper, Similarity()), strict=True))
        return {
            name: RegisteredBone(motion=motion, ncc=ncc, along_sd_px=along_sd_px)
            for name, motion in motions.items()
        }

    return register


def use(monkeypatch: pytest.MonkeyPatch, **registers: Register) -> None:
    """Make these the only comparators, none of them with separation; ``_`` stands for ``-``."""
    known = {
        name.replace("_", "-"): Comparator(register=register, separator=None)
        for name, register in registers.items()
    }
    monkeypatch.setattr(zoo, "comparators", lambda: known)
    monkeypatch.setattr(narrowing_cases, "comparators", lambda: known)


def truth_of(made: list[KnownPair], error_px: float = 0.0) -> Answer:
    """The known narrowing of made pairs, and an error on top."""
    known = {each.followup.pixels.tobytes(): each for each in made}

    def answer(_: JointVisit, followup: JointVisit) -> float:
        found = known[followup.radiograph.pixels.tobytes()]
        return found.known_mm / (found.followup.pixel_spacing_mm or 1.0) + error_px

    return answer


def width_lost(error_px: float = 0.0) -> Answer:
    """What the outlines' widths say, and an error on top."""
    return lambda first, last: float(first.space.jsw_px - last.space.jsw_px + error_px)
