"""Every separator on every overlapping joint of a manifest: agreement and features."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.progress import track

from lamella.evaluation.agreement import JointAgreement, agreement
from lamella.evaluation.cases import CLOSINGS_PER_JOINT
from lamella.evaluation.encoder import Features, FeatureSpace, SetDistance, describe
from lamella.evaluation.fidelity import LayerFidelity, layer_fidelity
from lamella.evaluation.rows import Separator
from lamella.io.datasets import LoadedJoint, joint_grouped_fold, joint_rows, load_joint, mask_faults
from lamella.prepare.overlap import KnownLayers
from lamella.records import LamellaError, Radiograph
from lamella.types import Mask

FEWEST_VECTORS = 4
BONES = ("upper", "lower")


@dataclass(frozen=True, kw_only=True)
class NumberedJoint:
    """A joint of a manifest, known by its row number only (counted from 0).

    Args:
        number: of the row.
        joint: its pixels and masks.
    """

    number: int
    joint: LoadedJoint

    @property
    def radiograph(self) -> Radiograph:
        """The joint as a radiograph of 8-bit grey levels."""
        return self.joint.radiograph

    @property
    def masks(self) -> dict[str, Mask]:
        """Upper and lower bone."""
        return self.joint.masks

    @property
    def is_sound(self) -> bool:
        """False where the masks cannot be those of two bones."""
        return not mask_faults(self.joint.upper, self.joint.lower)

    @property
    def features(self) -> Features:
        """Features of the image as it is."""
        return describe(self.joint.pixels, [self.joint.pixels] * 2, self.masks)


@dataclass(frozen=True, kw_only=True)
class JointScore:
    """One separator on one joint.

    Args:
        number: row of the manifest.
        overlap_px: pixels in both masks.
        is_sound: no fault in the masks.
        agreement: of the recomposed image with the joint.
        features: of the recomposed image and the layers.
    """

    number: int
    overlap_px: int
    is_sound: bool
    agreement: JointAgreement
    features: Features


@dataclass(frozen=True, kw_only=True)
class RealFeatures:
    """What separated images are compared with.

    Args:
        overlapping: row number -> features of the overlapping joint image J.
        alone: features of joints without overlap, whose bones lie alone.
        halves: the same, split in two through no joint.
    """

    overlapping: Mapping[int, Features]
    alone: Sequence[Features]
    halves: tuple[Sequence[Features], Sequence[Features]]

    @classmethod
    def of(cls, joints: Sequence[NumberedJoint]) -> "RealFeatures":
        """Features of a manifest's joints with sound masks."""
        sound = [joint for joint in joints if joint.is_sound]
        alone = {
            joint.joint.row: joint.features for joint in sound if not joint.joint.is_overlapping
        }
        halves = joint_grouped_fold(list(alone), folds=2)
        return cls(
            overlapping={joint.number: joint.features for joint in overlapping(sound)},
            alone=list(alone.values()),
            halves=([alone[row] for row in halves[0]], [alone[row] for row in halves[1]]),
        )


@dataclass(frozen=True, kw_only=True)
class ClosedScores:
    """One separator on joints closed on purpose: layer fidelity and features, by case."""

    fidelity: list[LayerFidelity] = field(default_factory=list)
    features: list[Features] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Floors:
    """Distances from real bones that no separation causes, by bone.

    Args:
        true_layers: of the true layers of joints closed on purpose. They are made of the very
            joints they are compared with, which draws the sets together.
        real_halves: half of the joints without overlap against the others. Distances of
            smaller sets scatter more, and a Fréchet distance grows with the scatter.
    """

    true_layers: Mapping[str, SetDistance]
    real_halves: Mapping[str, SetDistance]


def manifest_in(data: Path) -> Path:
    """The manifest a path names: itself, or the one manifest of a folder.

    ``dev.json`` of the ``mcp`` layout, else the one ``LS_K1_*`` of the published layout.

    Raises:
        LamellaError: a folder with no such file, or several.
    """
    if not data.is_dir():
        return data
    if (data / "dev.json").is_file():
        return data / "dev.json"
    found = sorted(path for path in data.glob("LS_K1_*") if path.is_file())
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise LamellaError(
            f"expected one manifest (dev.json or LS_K1_*) in {data.name!r}, got {names}: "
            "name the file"
        )
    return found[0]


def numbered_joints(manifest: Path) -> list[NumberedJoint]:
    """All joints of a manifest."""
    rows = joint_rows(manifest)
    return [NumberedJoint(number=k, joint=load_joint(row)) for k, row in enumerate(rows)]


def overlapping(joints: Sequence[NumberedJoint]) -> list[NumberedJoint]:
    """Those whose bones overlap by 20 pixels or more."""
    return [joint for joint in joints if joint.joint.is_overlapping]


def score_joints(
    rows: Mapping[str, Separator], joints: Sequence[NumberedJoint]
) -> dict[str, list[JointScore]]:
    """Every row on every joint; joints that a row refuses are missing from its list."""
    scores: dict[str, list[JointScore]] = {name: [] for name in rows}
    for joint in track(joints, "recomposing"):
        for name, separator in rows.items():
            found = score(separator, joint)
            if found is not None:
                scores[name].append(found)
    return scores


def score(separator: Separator, joint: NumberedJoint) -> JointScore | None:
    """One row on one joint; None where the row refuses it."""
    try:
        made = separator(joint.radiograph, joint.masks)
    except LamellaError:
        return None
    return JointScore(
        number=joint.number,
        overlap_px=joint.joint.overlap_px,
        is_sound=joint.is_sound,
        agreement=agreement(made.recomposed, joint.joint.pixels, joint.masks),
        features=describe(made.recomposed, made.layers, joint.masks),
    )


def set_distances(scores: Sequence[JointScore], real: RealFeatures) -> dict[str, SetDistance]:
    """Distances of a row's images from real ones, for joints with sound masks.

    * ``joint``, ``overlap``: recomposed against original, the same joints, paired.
    * ``upper``, ``lower``: separated layers of overlapping joints against bones of joints
      without overlap. Other joints, and joints that overlap differ from those that do not:
      the distance of perfect layers is not 0.

    Sets of fewer than four images have no distance.
    """
    sound = [one for one in scores if one.number in real.overlapping]
    originals = [real.overlapping[one.number] for one in sound]
    found = [one.features for one in sound]
    distances = bone_distances(found, real.alone)
    for part in ("joint", "overlap"):
        distances |= _distance(part, found, originals, paired=True)
    return distances


def bone_distances(found: Sequence[Features], real: Sequence[Features]) -> dict[str, SetDistance]:
    """Distances of upper and of lower layers from real bones; none below four images."""
    return _distance("upper", found, real) | _distance("lower", found, real)


def score_closed(
    rows: Mapping[str, Separator], cases: Sequence[tuple[KnownLayers, Radiograph]]
) -> dict[str, ClosedScores]:
    """Every row on joints closed on purpose; features of every fourth case.

    A joint has up to four closings, which look alike: one of them is enough for its features.
    """
    scores = {name: ClosedScores() for name in rows}
    for number, (known, radiograph) in enumerate(track(cases, "closed joints")):
        true = [known.bone_image(name) for name in known.masks]
        for name, separator in rows.items():
            made = separator(radiograph, dict(known.masks))
            scores[name].fidelity.append(layer_fidelity(made.layers, true, known.overlap))
            if number % CLOSINGS_PER_JOINT == 0:
                scores[name].features.append(describe(made.recomposed, made.layers, known.masks))
    return scores


def floors_of(real: RealFeatures, cases: Sequence[tuple[KnownLayers, Radiograph]]) -> Floors:
    """What perfect layers would score.

    Args:
        real: features of a manifest.
        cases: its joints closed on purpose.
    """
    true = [
        describe(radiograph.pixels, [known.bone_image(name) for name in known.masks], known.masks)
        for known, radiograph in cases[::CLOSINGS_PER_JOINT]
    ]
    return Floors(
        true_layers=bone_distances(true, real.alone), real_halves=bone_distances(*real.halves)
    )


def _distance(
    part: str, found: Sequence[Features], real: Sequence[Features], paired: bool = False
) -> dict[str, SetDistance]:
    if min(len(found), len(real)) < FEWEST_VECTORS:
        return {}
    sets = [np.stack([getattr(features, part) for features in images]) for images in (found, real)]
    return {part: FeatureSpace.of(sets[1]).distance(*sets, paired=paired)}
