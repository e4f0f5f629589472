"""Which joints train and which judge, and the pools of overlaps made of them.

The joints of a manifest are numbered in the sorted order of their names; every sample of a
pool carries the numbers of its joints, so one pool serves every fold.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from rich.progress import track

from lamella import __version__
from lamella.io.datasets import LoadedJoint, joint_grouped_fold, joint_rows
from lamella.io.write import sha256_of
from lamella.records import LamellaError
from lamella.training.overlaps import (
    Overlap,
    OverlapPool,
    closings,
    exchange,
    phantom_overlap,
    real_overlap,
    taken_apart,
)
from lamella.training.sources import sound_joints

GRID_PX = (256, 256)
JUDGED_SEED = 1
EDITION = 2
"""Of how samples are made: counted up whenever that changes, so that no old pool is taken."""

PHANTOM_SEED = 7


@dataclass(frozen=True, kw_only=True)
class Amounts:
    """How many overlaps to make.

    Args:
        closings_per_image: from each image without overlap.
        exchanges_per_image: with a bone of another joint.
        phantoms: tried; those that overlap are used.
        seed: of everything random.
    """

    closings_per_image: int = 5
    exchanges_per_image: int = 4
    phantoms: int = 700
    seed: int = 0


@dataclass(frozen=True)
class Material:
    """Overlaps of one manifest, made once and kept in a folder.

    Args:
        manifest: ``train.json`` or another of its kind.
        cache: folder of the pools.
        amounts: how many.
    """

    manifest: Path
    cache: Path
    amounts: Amounts

    @cached_property
    def joint_numbers(self) -> dict[str, int]:
        """Joint name -> number."""
        names = sorted({row.joint for row in joint_rows(self.manifest)})
        return {name: number for number, name in enumerate(names)}

    @cached_property
    def closed(self) -> OverlapPool:
        """Closed joints, exchanged bones and phantoms, for training."""
        return self._kept("closed", self._closed)

    @cached_property
    def real(self) -> OverlapPool:
        """Joints that overlap in reality."""
        return self._kept("real", self._real)

    @cached_property
    def judged(self) -> OverlapPool:
        """One closing of each image without overlap, made apart from those that train."""
        return self._kept("judged", self._judged)

    @cached_property
    def joints(self) -> list[LoadedJoint]:
        """Images whose masks can be right.

        Raises:
            LamellaError: images of another size than the networks' grid.
        """
        joints = sound_joints(self.manifest)
        sizes = {joint.pixels.shape for joint in joints} - {GRID_PX}
        if sizes:
            raise LamellaError(
                f"expected joints of 256 x 256 pixels (0.082 mm each), got {sorted(sizes)}: "
                "resample the images and their masks"
            )
        return joints

    def numbers_of(self, names: Iterable[str]) -> set[int]:
        """Numbers of those joints that this manifest names."""
        return {self.joint_numbers[name] for name in names if name in self.joint_numbers}

    def split(self) -> tuple[set[int], set[int]]:
        """Numbers of the joints that train, and of the fifth that selects.

        The fifth is dealt out among joints that have an image without overlap; a joint that
        always overlaps trains.
        """
        _, judged = joint_grouped_fold([joint.row for joint in self._without_overlap()])
        selecting = self.numbers_of(row.joint for row in judged)
        return set(self.joint_numbers.values()) - selecting, selecting

    def _kept(self, name: str, make: object) -> OverlapPool:
        depends = (sha256_of(self.manifest), self.amounts, __version__, EDITION)
        digest = hashlib.sha256(repr(depends).encode()).hexdigest()[:12]
        return OverlapPool.kept(self.cache / f"{name}-{digest}", make)  # type: ignore[arg-type]

    def _closed(self) -> Iterator[Overlap]:
        apart = self._without_overlap()
        known = [taken_apart(joint) for joint in track(apart, "taking joints apart")]
        numbers = [self.joint_numbers[joint.row.joint] for joint in apart]
        amounts = self.amounts
        for index in track(range(len(apart)), "closing joints"):
            rng = np.random.default_rng([amounts.seed, index])
            own = (numbers[index], numbers[index])
            yield from closings(known[index], own, amounts.closings_per_image, rng)
            for other in _others(numbers, index, amounts.exchanges_per_image, rng):
                pair = (numbers[index], numbers[other])
                yield from exchange(known[index], known[other], pair, rng)
        for number in track(range(amounts.phantoms), "making phantoms"):
            yield from phantom_overlap((amounts.seed, PHANTOM_SEED, number))

    def _judged(self) -> Iterator[Overlap]:
        for index, joint in enumerate(track(self._without_overlap(), "closing joints to judge")):
            rng = np.random.default_rng([self.amounts.seed, JUDGED_SEED, index])
            number = self.joint_numbers[joint.row.joint]
            yield from closings(taken_apart(joint), (number, number), 1, rng)

    def _real(self) -> Iterator[Overlap]:
        for joint in track(self.joints, "reading overlaps"):
            if joint.is_overlapping:
                yield real_overlap(joint, self.joint_numbers[joint.row.joint])

    def _without_overlap(self) -> list[LoadedJoint]:
        return [joint for joint in self.joints if not joint.is_overlapping]


def _others(
    numbers: Sequence[int], index: int, count: int, rng: np.random.Generator
) -> Iterator[int]:
    """Images of other joints."""
    others = np.flatnonzero(np.asarray(numbers) != numbers[index])
    if others.size:
        yield from rng.choice(others, count)
