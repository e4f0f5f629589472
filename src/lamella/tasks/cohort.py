"""Cohorts of synthetic joints: which joint comes at which width, balanced and drawn from a seed.

A cohort is stratified over the widths asked for. Of ``n`` samples every width that some joint can
reach gets ``floor(n / S)`` or one more, ``S`` being the number of such widths; within a width every
joint that can reach it comes equally often, give or take one, and the odd samples go to the joints
that have fewest so far. Widths that few joints reach are dealt first.

A plan holds numbers of samples, not samples: its size does not depend on ``n``. What is drawn for
a sample depends on the seed, the joint's file, the width and the number of the repeat alone, so
any sample can be made without the others, in any order.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

from lamella.records import LamellaError, Pose, SyntheticJoint
from lamella.tasks.synthesis import AdjustableJoint

TRIES = 8
"""Draws of shift and rotation before the calmest of the ranges is taken."""

POSE_COLUMNS = ("along_px", "across_px", "rotation_deg")
DEALING = 1
SEED_BYTES = 4


@dataclass(frozen=True, kw_only=True)
class CohortRequest:
    """What a cohort shall hold.

    Args:
        widths_mm: joint space widths, the strata, rising.
        count: number of samples; None: every joint once at every width it can reach.
        seed: of everything drawn.
        shift_mm: lowest and highest shift of the upper bone to the right, mm.
        rotation_deg: lowest and highest rotation of the upper bone, counter-clockwise.
    """

    widths_mm: tuple[float, ...]
    count: int | None = None
    seed: int = 0
    shift_mm: tuple[float, float] = (0.0, 0.0)
    rotation_deg: tuple[float, float] = (0.0, 0.0)

    @property
    def is_fixed(self) -> bool:
        """True when neither shift nor rotation is drawn."""
        return all(low == high for low, high in (self.shift_mm, self.rotation_deg))

    @property
    def calmest(self) -> tuple[float, float]:
        """Shift (mm) and rotation (degrees) nearest to none within the ranges."""
        shift, rotation = (
            float(np.clip(0.0, low, high)) for low, high in (self.shift_mm, self.rotation_deg)
        )
        return shift, rotation

    def record(self) -> dict[str, Any]:
        """The request as JSON keeps it."""
        ranges = {"shift_mm": self.shift_mm, "rotation_deg": self.rotation_deg}
        return {
            "widths_mm": list(self.widths_mm),
            "count": self.count,
            "seed": self.seed,
            **{name: list(ends) for name, ends in ranges.items()},
        }


@dataclass(frozen=True, kw_only=True)
class Draw:
    """One sample of a plan.

    Args:
        joint: name of the joint.
        width_index: which of the request's widths.
        repeat: how often the joint came at that width before.
    """

    joint: str
    width_index: int
    repeat: int

    @property
    def name(self) -> str:
        """The sample's name: unique in its cohort, the same however large that is."""
        return f"{self.joint}_w{self.width_index:03d}_{self.repeat:04d}"


@dataclass(frozen=True, kw_only=True, eq=False)
class CohortPlan:
    """How often each joint comes at each width.

    Args:
        names: of the joints.
        counts: (joint, width).
        unreachable: widths no joint can reach, by their place in the request.
    """

    names: tuple[str, ...]
    counts: np.ndarray
    unreachable: tuple[int, ...]

    @property
    def total(self) -> int:
        """Number of samples."""
        return int(self.counts.sum())

    def draws(self, name: str) -> Iterator[Draw]:
        """The samples of one joint, width by width."""
        for width_index, count in enumerate(self.counts[self.names.index(name)].tolist()):
            for repeat in range(count):
                yield Draw(joint=name, width_index=width_index, repeat=repeat)


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """A synthesised joint and what was asked of it.

    Args:
        draw: its place in the plan.
        jsw_mm: width asked for.
        shift_mm: shift asked for.
        rotation_deg: rotation asked for.
        joint: what came of it.
    """

    draw: Draw
    jsw_mm: float
    shift_mm: float
    rotation_deg: float
    joint: SyntheticJoint


def planned(request: CohortRequest, reachable: Mapping[str, np.ndarray]) -> CohortPlan:
    """Deal the samples out: see the module.

    Args:
        request: what is wanted.
        reachable: joint -> which widths it can reach, (widths,) bool (:func:`reachable_widths`).

    Raises:
        LamellaError: no joint reaches any width; or a joint would come more than once at a width
            while nothing is drawn, so that samples would be copies.
    """
    names = tuple(reachable)
    table = np.stack([reachable[name] for name in names])
    is_open = table.any(axis=0)
    if not is_open.any():
        low, high = request.widths_mm[0], request.widths_mm[-1]
        raise LamellaError(
            f"expected widths that a joint here can take, got {low:g} to {high:g} mm, and none can "
            "reach any: ask for widths nearer to theirs"
        )
    counts = table.astype(int) if request.count is None else _dealt(request, table)
    if request.is_fixed and counts.max() > 1:
        raise LamellaError(
            f"expected at most {int(table.sum())} samples, one for each joint and width, as shift "
            f"and rotation are fixed, got {request.count}: give ranges to draw them from"
        )
    unreachable = tuple(int(index) for index in np.flatnonzero(~is_open))
    return CohortPlan(names=names, counts=counts, unreachable=unreachable)


def reachable_widths(joint: AdjustableJoint, request: CohortRequest) -> np.ndarray:
    """Which of the widths a joint can take, (widths,) bool.

    They lie in one stretch about the width nearest to the joint's own; its ends are bisected.
    Shift and rotation are the calmest of the request.

    Raises:
        LamellaError: the pixel spacing is unknown.
    """
    shift_mm, rotation_deg = request.calmest
    own_mm = joint.joint_space.jsw_mm
    if own_mm is None:
        raise LamellaError("the pixel spacing is unknown: give it with --pixel-spacing MM")

    def can(index: int) -> bool:
        try:
            joint.at(joint.posed(request.widths_mm[index], shift_mm, rotation_deg))
        except LamellaError:
            return False
        return True

    found = np.zeros(len(request.widths_mm), bool)
    nearest = int(np.abs(np.asarray(request.widths_mm) - own_mm).argmin())
    if can(nearest):
        last = _farthest(can, nearest, len(found) - 1)
        found[_farthest(can, nearest, 0) : last + 1] = True
    return found


def sampled(
    joint: AdjustableJoint, request: CohortRequest, draw: Draw, source_sha256: str
) -> Sample:
    """Make one sample; where a drawn pose leaves the finger, another is drawn.

    Args:
        joint: the prepared joint.
        request: of the cohort.
        draw: the sample's place in the plan.
        source_sha256: of the joint's file, in hexadecimal.

    Raises:
        LamellaError: no pose in the ranges can be taken at that width.
    """
    jsw_mm = request.widths_mm[draw.width_index]
    problem = None
    for shift_mm, rotation_deg in _offsets(request, draw, source_sha256):
        try:
            made = joint.at(joint.posed(jsw_mm, shift_mm, rotation_deg))
        except LamellaError as error:
            problem = error
            continue
        return Sample(
            draw=draw, jsw_mm=jsw_mm, shift_mm=shift_mm, rotation_deg=rotation_deg, joint=made
        )
    raise problem or LamellaError("no pose was drawn")


def remade(joint: AdjustableJoint, row: Mapping[str, str]) -> SyntheticJoint:
    """The sample that a row of a manifest describes, bit for bit.

    Args:
        joint: the row's joint, prepared with the row's ``grain_seed``.
        row: column -> text.

    Raises:
        LamellaError: the row's pose is missing or damaged, or cannot be taken.
    """
    try:
        along_px, across_px, rotation_deg = (float(row[name]) for name in POSE_COLUMNS)
    except (KeyError, ValueError):
        raise LamellaError("the row's pose is missing or damaged: take another row") from None
    return joint.at(Pose(along_px=along_px, across_px=across_px, rotation_deg=rotation_deg))


def grain_seed(seed: int, source_sha256: str) -> int:
    """Seed of the grain drawn for one joint: its own, whatever other joints there are."""
    digest = sha256(f"{seed}:{source_sha256}".encode()).digest()
    return int.from_bytes(digest[:SEED_BYTES], "big")


def _dealt(request: CohortRequest, table: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng([request.seed, DEALING])
    wanted = _spread(request.count or 0, np.asarray(table.any(axis=0)), rng)
    counts = np.zeros(table.shape, int)
    for width_index in np.argsort(table.sum(axis=0), kind="stable"):
        able = np.flatnonzero(table[:, width_index])
        if not able.size:
            continue
        each, odd = divmod(int(wanted[width_index]), able.size)
        counts[able, width_index] = each
        fewest_first = np.lexsort((rng.random(able.size), counts.sum(axis=1)[able]))
        counts[able[fewest_first[:odd]], width_index] += 1
    return counts


def _spread(count: int, is_open: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Samples of each width: the same number for every open one, and one more for some."""
    each, odd = divmod(count, int(is_open.sum()))
    wanted = np.where(is_open, each, 0)
    wanted[rng.permutation(np.flatnonzero(is_open))[:odd]] += 1
    return wanted


def _farthest(can: Callable[[int], bool], here: int, end: int) -> int:
    """The last place from ``here`` towards ``end`` where it can be done."""
    if can(end):
        return end
    while abs(end - here) > 1:
        middle = (here + end) // 2
        here, end = (middle, end) if can(middle) else (here, middle)
    return here


def _offsets(
    request: CohortRequest, draw: Draw, source_sha256: str
) -> Iterator[tuple[float, float]]:
    if not request.is_fixed:
        words = [request.seed, int(source_sha256[:16], 16), draw.width_index, draw.repeat]
        rng = np.random.default_rng(words)
        for _ in range(TRIES):
            yield float(rng.uniform(*request.shift_mm)), float(rng.uniform(*request.rotation_deg))
    yield request.calmest
