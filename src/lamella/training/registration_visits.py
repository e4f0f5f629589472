"""Visits to learn registration from: joints put into other poses, their bones' motions known.

Each source, a real joint or a phantom, is separated and prepared for moving; the visits are the
source as it stands and in random poses (:mod:`lamella.tasks.synthesis`). Each visit is separated
again from its own pixels, so layers carry the errors that inference will meet. Real visits of one
joint, both as they stand, are pairs whose motion nobody knows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.progress import track
from scipy import ndimage

from lamella import __version__
from lamella.io.datasets import (
    GREY_LEVEL,
    PUBLISHED_SPACING_MM,
    LoadedJoint,
    joint_grouped_fold,
)
from lamella.io.write import sha256_of
from lamella.prepare.grid import NETWORK_SIDE_PX
from lamella.prepare.masks import by_height
from lamella.records import JointFrame, LamellaError, Pose, Radiograph, RigidMotion
from lamella.tasks.synthesis import AdjustableJoint
from lamella.training.sources import phantoms, sound_joints
from lamella.types import Mask
from lamella.zoo.verbs import adjustable, separate

ALONG_MM = 1.0
ACROSS_MM = 0.2
TURN_DEG = 3.5
"""A pose lies within these of its source, so two poses of one source within twice these."""

REGION_GROWN_PX = 2
BORDER_PX = 5
NOBODY = -1
TRIES_PER_POSE = 4
POSE_SEED = 51
VISIT_SEED = 52
PHANTOM_SEED = 53
EDITION = 1
"""Of how visits are made: counted up whenever that changes, so that no old pool is taken."""

MAPS = ("radiograph", "upper", "lower")
COLUMNS = ("images", "regions", "motions", "frames", "sources", "joints", "original")


@dataclass(frozen=True, kw_only=True)
class VisitAmounts:
    """How many visits to make.

    Args:
        visits_per_joint: real radiographs of each joint to make visits of, at most.
        poses_per_visit: further poses of each.
        phantoms: sources besides.
        seed: of everything random.
    """

    visits_per_joint: int = 2
    poses_per_visit: int = 3
    phantoms: int = 60
    seed: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class VisitPool:
    """Visits stacked.

    Args:
        images: radiograph and both layer images, 8-bit, (visit, map, row, col) in the order of
            ``MAPS``.
        regions: where each bone is, a little grown, without the image's borders,
            (visit, bone, row, col) 0 or 1.
        motions: from the source to the visit, of places (row, col, 1), (visit, bone, 3, 3).
        frames: origin (row, col) and axis (row, col) of the source's joint, (visit, 4).
        sources: number of the source, (visit,).
        joints: number of the joint, -1 for phantoms, (visit,).
        original: the source as it stands, (visit,).
    """

    images: np.ndarray
    regions: np.ndarray
    motions: np.ndarray
    frames: np.ndarray
    sources: np.ndarray
    joints: np.ndarray
    original: np.ndarray

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def known_pairs(self) -> np.ndarray:
        """Fixed and moving visit of one source, both ways round, (pair, 2)."""
        return _pairs(self.sources, self.sources)

    @property
    def real_pairs(self) -> np.ndarray:
        """Fixed and moving visit of one joint at different times, (pair, 2)."""
        at = np.flatnonzero(self.original & (self.joints != NOBODY))
        return at[_pairs(self.joints[at], self.joints[at])]

    @classmethod
    def kept(cls, path: Path, make: Callable[[], Iterable[Mapping[str, np.ndarray]]]) -> VisitPool:
        """The pool of an ``.npz`` file, made once, whole or not at all.

        Raises:
            LamellaError: no visit could be made.
        """
        if not path.exists():
            visits = list(make())
            if not visits:
                raise LamellaError("expected joints whose bones can be moved, got none")
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part.npz")
            columns = {name: np.stack([visit[name] for visit in visits]) for name in COLUMNS}
            np.savez(part, allow_pickle=False, **columns)
            part.replace(path)
        with np.load(path) as file:
            return cls(**{name: file[name] for name in COLUMNS})


@dataclass(frozen=True, kw_only=True)
class VisitMaterial:
    """The visits of a manifest, a joint-grouped fifth of its joints apart from the rest.

    Args:
        manifest: ``train.json``.
        cache: folder of the pools.
        amounts: how many.
    """

    manifest: Path
    cache: Path
    amounts: VisitAmounts

    def training(self) -> VisitPool:
        """Visits to learn from."""
        return self._kept("training", held_out=False)

    def held_out(self) -> VisitPool:
        """Visits to judge by: of joints that do not train, and no phantoms."""
        return self._kept("held-out", held_out=True)

    def _kept(self, name: str, held_out: bool) -> VisitPool:
        depends = (sha256_of(self.manifest), self.amounts, __version__, EDITION)
        digest = hashlib.sha256(repr(depends).encode()).hexdigest()[:12]
        return VisitPool.kept(
            self.cache / f"{name}-{digest}.npz", lambda: self._visits(held_out=held_out)
        )

    def _visits(self, held_out: bool) -> Iterator[dict[str, np.ndarray]]:
        joints = self._joints()
        names = sorted({joint.row.joint for joint in joints})
        parts = joint_grouped_fold([joint.row for joint in joints])
        wanted = {row.joint for row in parts[held_out]}
        for number, joint in enumerate(track(joints, "moving bones")):
            if joint.row.joint in wanted:
                radiograph = replace(joint.radiograph, pixel_spacing_mm=PUBLISHED_SPACING_MM)
                source = (number, names.index(joint.row.joint))
                yield from visits_of(radiograph, joint.masks, source, self.amounts)
        if not held_out:
            yield from self._of_phantoms(len(joints))

    def _of_phantoms(self, first: int) -> Iterator[dict[str, np.ndarray]]:
        made = phantoms(self.amounts.phantoms, self.amounts.seed + PHANTOM_SEED)
        for number, phantom in enumerate(made):
            radiograph = Radiograph(
                pixels=phantom.intensity,
                pixel_spacing_mm=phantom.spec.pixel_spacing_mm,
                grey_level=GREY_LEVEL,
            )
            yield from visits_of(radiograph, phantom.masks, (first + number, NOBODY), self.amounts)

    def _joints(self) -> list[LoadedJoint]:
        """At most so many radiographs of each joint, of those whose masks can be right."""
        side = (NETWORK_SIDE_PX, NETWORK_SIDE_PX)
        joints = sound_joints(self.manifest)
        sizes = {joint.pixels.shape for joint in joints} - {side}
        if sizes:
            raise LamellaError(
                f"expected joints of 256 x 256 pixels (0.082 mm each), got {sorted(sizes)}: "
                "resample the images and their masks"
            )
        order = np.random.default_rng([VISIT_SEED, self.amounts.seed]).permutation(len(joints))
        return _at_most([joints[place] for place in order], self.amounts.visits_per_joint)


def visits_of(
    radiograph: Radiograph,
    masks: Mapping[str, Mask],
    source: tuple[int, int],
    amounts: VisitAmounts,
) -> list[dict[str, np.ndarray]]:
    """One joint as it stands and in random poses; nothing where its bones cannot be moved.

    Args:
        radiograph: of 256 x 256 pixels.
        masks: of both bones.
        source: number of the source and of its joint.
        amounts: how many poses, and their seed.
    """
    try:
        joint = adjustable(separate(radiograph, masks), seed=source[0])
    except LamellaError:
        return []
    rng = np.random.default_rng([POSE_SEED, amounts.seed, source[0]])
    visits = [_visit(joint, Pose(), source)]
    for _ in range(TRIES_PER_POSE * amounts.poses_per_visit):
        if len(visits) > amounts.poses_per_visit:
            break
        try:
            visits.append(_visit(joint, _random_pose(joint, rng), source))
        except LamellaError:
            continue
    return visits


def affine_of(motion: RigidMotion) -> np.ndarray:
    """A motion as a matrix on (row, col, 1), (3, 3)."""
    start, down, right = motion.of_points(np.array([(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)]))
    return np.array([*np.stack([down - start, right - start, start], axis=1), (0.0, 0.0, 1.0)])


def _random_pose(joint: AdjustableJoint, rng: np.random.Generator) -> Pose:
    spacing_mm = joint.layers.radiograph.pixel_spacing_mm or PUBLISHED_SPACING_MM
    along_mm, across_mm = (float(rng.uniform(-most, most)) for most in (ALONG_MM, ACROSS_MM))
    return Pose(
        along_px=along_mm / spacing_mm,
        across_px=across_mm / spacing_mm,
        rotation_deg=float(rng.uniform(-TURN_DEG, TURN_DEG)),
    )


def _visit(joint: AdjustableJoint, pose: Pose, source: tuple[int, int]) -> dict[str, np.ndarray]:
    """One row of a pool: the joint in a pose, separated from its own pixels."""
    still = pose == Pose()
    made = joint.at(pose)
    layers = joint.layers if still else separate(made.radiograph, made.masks)
    names = by_height(joint.layers.masks)
    maps = [layers.radiograph.pixels, *(layers.bone_image(name) for name in names)]
    frame = joint.joint_space.frame
    return {
        "images": np.round(255.0 * np.clip(np.stack(maps), 0.0, 1.0)).astype(np.uint8),
        "regions": np.stack([region_of(made.masks[name]) for name in names]).astype(np.uint8),
        "motions": np.stack([affine_of(made.motions[name]) for name in names]),
        "frames": np.array([*frame.origin_px, *frame.axis]),
        "sources": np.asarray(source[0]),
        "joints": np.asarray(source[1]),
        "original": np.asarray(still),
    }


def region_of(mask: Mask) -> Mask:
    """Where a bone is compared: its mask grown by 2 px, without 5 px at the image's borders."""
    grown = ndimage.binary_dilation(mask, iterations=REGION_GROWN_PX)
    inner = np.zeros_like(mask)
    inner[BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX] = True
    return np.asarray(grown & inner)


def frame_of(row: np.ndarray) -> JointFrame:
    """The frame that a row of ``VisitPool.frames`` says."""
    origin_row, origin_col, axis_row, axis_col = (float(value) for value in row)
    return JointFrame(origin_px=(origin_row, origin_col), axis=(axis_row, axis_col))


def _at_most(joints: Sequence[LoadedJoint], most: int) -> list[LoadedJoint]:
    taken: dict[str, list[LoadedJoint]] = {}
    for joint in joints:
        visits = taken.setdefault(joint.row.joint, [])
        if len(visits) < most:
            visits.append(joint)
    return [joint for name in sorted(taken) for joint in taken[name]]


def _pairs(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Places of equal entries, each with another, (pair, 2)."""
    same = first[:, None] == second[None, :]
    np.fill_diagonal(same, val=False)
    return np.argwhere(same)
