"""Real visits compared: every ordered pair of visits of every joint, and repeats with jitter."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, permutations
from pathlib import Path

import numpy as np
from rich.progress import track

from lamella.evaluation.joint_sample import with_spacing
from lamella.evaluation.narrowing_cases import (
    NarrowingCase,
    Visits,
    case_of,
    compared,
    compared_pair,
    prepared,
)
from lamella.evaluation.narrowing_mse import compared_pixels, registered_mse
from lamella.io.datasets import JointRow, LoadedJoint, joint_rows, load_joint, mask_faults
from lamella.records import LamellaError, Narrowing, Radiograph
from lamella.types import Mask

SEED = 20257
REPEATS = 10
JITTER_PX = 3
REPEATED_PAIRS = 30


@dataclass(frozen=True, kw_only=True)
class VisitCase:
    """Two visits of a joint compared by one method.

    Args:
        joint: its name.
        first: number of the baseline among the joint's visits.
        last: number of the follow-up.
        overlap_px: the larger overlap of the two, by drawn masks.
        case: what was measured.
        mse: bone -> MSE of its registration (:mod:`lamella.evaluation.narrowing_mse`).
    """

    joint: str
    first: int
    last: int
    overlap_px: int
    case: NarrowingCase
    mse: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RepeatedPair:
    """Repeats of one pair of visits by one method.

    Args:
        joint: its name.
        measured_mm: of each repeat, refused or not, the original pair first; NaN where nothing
            could be measured.
        accepted: which were answered.
    """

    joint: str
    measured_mm: np.ndarray
    accepted: np.ndarray

    @property
    def answered_mm(self) -> np.ndarray:
        """The answers."""
        return self.measured_mm[self.accepted]

    @property
    def made_mm(self) -> np.ndarray:
        """Everything that could be measured."""
        return self.measured_mm[np.isfinite(self.measured_mm)]


def joints_seen_repeatedly(
    rows: Iterable[JointRow], count: int | None = None
) -> dict[str, list[LoadedJoint]]:
    """Joint -> its visits with sound masks, at least two; so many joints, drawn with a seed."""
    by_joint: dict[str, list[JointRow]] = defaultdict(list)
    for row in rows:
        by_joint[row.joint].append(row)
    several = [name for name in sorted(by_joint) if len(by_joint[name]) > 1]
    chosen = np.random.default_rng(SEED).permutation(several)[:count]
    found = {str(name): sound_visits(by_joint[str(name)]) for name in sorted(chosen)}
    return {name: visits for name, visits in found.items() if len(visits) > 1}


def sound_visits(rows: Sequence[JointRow]) -> list[LoadedJoint]:
    """Visits whose masks can be right, by the image's name."""
    joints = [load_joint(row) for row in sorted(rows, key=lambda row: row.image.name)]
    return [joint for joint in joints if not mask_faults(joint.upper, joint.lower)]


def visit_cases(
    manifest: Path, methods: Sequence[str], count: int | None = None
) -> dict[str, list[VisitCase]]:
    """Every ordered pair of visits of a joint, from the pixels: method -> its cases.

    Args:
        manifest: of real joints.
        methods: names of comparators.
        count: most joints; all when None.
    """
    cases: dict[str, list[VisitCase]] = {method: [] for method in methods}
    joints = joints_seen_repeatedly(joint_rows(manifest), count)
    for name, visits in track(joints.items(), "comparing visits", total=len(joints)):
        ready = [prepared(with_spacing(visit), methods) for visit in visits]
        for method, found in _cases_of_joint(name, visits, ready):
            cases[method].append(found)
    return cases


def repeated_pairs(
    manifest: Path, methods: Sequence[str], pairs: int = REPEATED_PAIRS
) -> dict[str, list[RepeatedPair]]:
    """A sample of pairs of visits, each measured ``REPEATS`` times: method -> repeats.

    The original pair once, then both images cropped at offsets of up to ``JITTER_PX`` of their
    own; each crop is segmented, separated and measured afresh. Narrowing does not depend on
    where the joint lies in a crop, so nothing is to be corrected.

    Args:
        manifest: of real joints.
        methods: names of comparators.
        pairs: most pairs, drawn with a seed.
    """
    joints = joints_seen_repeatedly(joint_rows(manifest))
    every = [(name, *pair) for name, seen in joints.items() for pair in combinations(seen, 2)]
    rng = np.random.default_rng(SEED)
    order = rng.permutation(len(every))[:pairs]
    found: dict[str, list[RepeatedPair]] = {method: [] for method in methods}
    for number in track(order, "repeating with jitter"):
        name, first, last = every[number]
        for method, repeats in _repeats((first, last), methods, rng).items():
            found[method].append(_repeated(name, repeats))
    return found


def jittered(radiograph: Radiograph, rng: np.random.Generator) -> Radiograph:
    """The radiograph without ``JITTER_PX`` at each border, moved by up to as much."""
    down, right = (int(part) for part in rng.integers(0, 2 * JITTER_PX + 1, 2))
    rows, cols = (length - 2 * JITTER_PX for length in radiograph.shape)
    return replace(radiograph, pixels=radiograph.pixels[down : down + rows, right : right + cols])


def _cases_of_joint(
    name: str, visits: Sequence[LoadedJoint], ready: Sequence[Visits]
) -> Iterable[tuple[str, VisitCase]]:
    for first, last in permutations(range(len(visits)), 2):
        pair = (visits[first], visits[last])
        pixels = compared_pixels(*pair) if first < last else {}
        for method, found in compared(ready[first], ready[last]).items():
            yield (
                method,
                VisitCase(
                    joint=name,
                    first=first,
                    last=last,
                    overlap_px=max(visit.overlap_px for visit in pair),
                    case=case_of(found, name),
                    mse=_mse(found, pair, pixels),
                ),
            )


def _mse(
    found: Narrowing | LamellaError, pair: tuple[LoadedJoint, LoadedJoint], pixels: dict[str, Mask]
) -> dict[str, float]:
    """Of each bone, whether the comparison is accepted or not; empty where nothing was found."""
    if isinstance(found, LamellaError):
        return {}
    return {
        bone: registered_mse(pair[0].pixels, pair[1].pixels, found.bones[bone].motion, mask)
        for bone, mask in pixels.items()
    }


def _repeats(
    pair: tuple[LoadedJoint, LoadedJoint], methods: Sequence[str], rng: np.random.Generator
) -> dict[str, list[NarrowingCase]]:
    cases: dict[str, list[NarrowingCase]] = {method: [] for method in methods}
    originals = [with_spacing(visit) for visit in pair]
    for number in range(REPEATS):
        seen = [jittered(image, rng) if number else image for image in originals]
        for method, found in compared_pair(seen[0], seen[1], methods):
            cases[method].append(case_of(found, pair[0].row.joint))
    return cases


def _repeated(name: str, cases: Sequence[NarrowingCase]) -> RepeatedPair:
    return RepeatedPair(
        joint=name,
        measured_mm=np.array([case.measured_mm for case in cases]),
        accepted=np.array([case.is_accepted for case in cases]),
    )
