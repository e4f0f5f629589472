"""Joints with their width: real ones measured on drawn masks, synthetic ones known exactly.

The label is ``jsw_mm`` (:mod:`lamella.tasks.joint_width`) at the published spacing; images are
binned 2 x 2. The narrowing class counts the cuts that a width stays below:

    class = #{c in (0.75, 0.50, 0.25, 0) mm : width < c},    0 (wide) ... 4 (overlap).

The cuts are 3/4, 1/2, 1/4 and 0 of 1 mm, in the manner of LSN's classes by parts of a normal width;
each class holds 13 to 25 % of ``train.json``. They are no readers' scores.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, UInt8
from rich.progress import track

from lamella.io.datasets import (
    PUBLISHED_SPACING_MM,
    JointRow,
    LoadedJoint,
    joint_rows,
    load_joint,
    mask_faults,
)
from lamella.records import LamellaError
from lamella.tasks.joint_width import measure_joint_space
from lamella.types import Image, Mask
from lamella.zoo.verbs import adjustable, segment, separate

CUTS_MM = (0.75, 0.50, 0.25, 0.0)
CLASSES = len(CUTS_MM) + 1
JOINT_PX = (256, 256)
BINNING = 2
WIDTHS_MM = (-1.5, 1.5)
"""Between these synthetic widths are uniform."""

MOST_SHIFT_MM = 0.5
MOST_ROTATION_DEG = 2.0
TRIES_PER_IMAGE = 4
SAME_WIDTH_MM = 1e-3
ORDER_SEED = 41
POSE_SEED = 43


@dataclass(frozen=True, kw_only=True, eq=False)
class WidthImages:
    """Images of joints and the widths to learn.

    Args:
        images: binned grey levels, (image, row, col).
        width_mm: label, (image,).
        joints: name of each image's joint, (image,).
        numbers: row of its manifest that each image is, or was made from, (image,).
    """

    images: UInt8[np.ndarray, "images rows cols"]
    width_mm: Float[np.ndarray, "images"]
    joints: np.ndarray
    numbers: Int[np.ndarray, "images"]

    def __len__(self) -> int:
        return len(self.width_mm)

    def of_joints(self, names: Sequence[str]) -> "WidthImages":
        """The images of those joints."""
        return self._only(np.isin(self.joints, list(names)))

    def first(self, count: int) -> "WidthImages":
        """The first so many images."""
        return self._only(np.arange(len(self)) < count)

    def save(self, path: Path) -> None:
        """Write everything to an ``.npz`` file, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.npz")
        np.savez_compressed(part, **vars(self))
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> "WidthImages":
        """Read it back."""
        with np.load(path) as file:
            return cls(**{name: file[name] for name in file.files})

    @classmethod
    def joined(cls, parts: Sequence["WidthImages"]) -> "WidthImages":
        """Several sets as one.

        Raises:
            LamellaError: nothing to join.
        """
        if not parts:
            raise LamellaError("expected joints whose width can be measured, got none")
        names = vars(parts[0])
        return cls(**{name: np.concatenate([vars(part)[name] for part in parts]) for name in names})

    def _only(self, keep: Mask | np.ndarray) -> "WidthImages":
        return WidthImages(**{name: values[keep] for name, values in vars(self).items()})


def narrowing_class(width_mm: Float[np.ndarray, "*any"]) -> Int[np.ndarray, "*any"]:
    """Class of each width, 0 (wide) to 4 (overlap); see the module."""
    return np.asarray((width_mm[..., None] < np.asarray(CUTS_MM)).sum(axis=-1))


def binned(pixels: Image) -> UInt8[np.ndarray, "binned_rows binned_cols"]:
    """Intensity in [0, 1] as 8-bit grey levels, the mean of 2 x 2 pixels each.

    Raises:
        LamellaError: not 256 x 256.
    """
    if pixels.shape != JOINT_PX:
        raise LamellaError(
            f"expected joints of 256 x 256 pixels, got {pixels.shape}: resample the images"
        )
    rows, cols = (length // BINNING for length in pixels.shape)
    grey = np.clip(np.round(255.0 * pixels), 0, 255)
    return np.round(grey.reshape(rows, BINNING, cols, BINNING).mean(axis=(1, 3))).astype(np.uint8)


def real_images(manifest: Path, kept: Path | None = None) -> WidthImages:
    """Sound joints of a manifest with the width measured on their drawn masks.

    Rows whose masks cannot be right (:func:`~lamella.io.datasets.mask_faults`), or between whose
    masks no width can be measured, are left out.

    Args:
        manifest: ``train.json`` or another of its kind.
        kept: file to keep them in.

    Raises:
        LamellaError: the widths kept were measured in another way.
    """
    rows = joint_rows(manifest)
    if kept is not None and kept.exists():
        return _still_true(WidthImages.load(kept), rows)
    found = (_real(number, row) for number, row in enumerate(track(rows, "measuring widths")))
    images = WidthImages.joined([image for image in found if image is not None])
    if kept is not None:
        images.save(kept)
    return images


def annotated(images: WidthImages, percent: float, seed: int) -> WidthImages:
    """The images of a part of the joints, two or more; smaller parts lie in larger ones.

    Args:
        images: all of them.
        percent: of the joints.
        seed: of the order in which joints are taken.
    """
    names = sorted(set(images.joints.tolist()))
    order = np.random.default_rng([ORDER_SEED, seed]).permutation(len(names))
    count = max(2, int(np.ceil(1e-2 * percent * len(names) - 1e-9)))
    return images.of_joints([names[place] for place in order[:count]])


MasksOf = Callable[[LoadedJoint], Mapping[str, Mask]]
"""The masks a joint is taken apart with."""


def drawn(joint: LoadedJoint) -> Mapping[str, Mask]:
    """The masks drawn by hand."""
    return joint.masks


def segmented(joint: LoadedJoint) -> Mapping[str, Mask]:
    """Masks that the shipped network finds; it was trained on masks of ``train.json``."""
    return segment(replace(joint.radiograph, pixel_spacing_mm=PUBLISHED_SPACING_MM))


@dataclass(frozen=True, kw_only=True)
class SyntheticPool:
    """Synthetic joints by the radiograph they are made from, made once and kept in a folder.

    Image ``k`` of a source depends on the source, ``k`` and the masks alone, so a set made from
    some radiographs holds nothing of any other.

    Args:
        folder: one file per source.
        rows: of the manifest.
        masks_of: :func:`drawn` or :func:`segmented`.
    """

    folder: Path
    rows: Sequence[JointRow]
    masks_of: MasksOf = drawn

    def of(self, numbers: Sequence[int], count: int) -> WidthImages:
        """About ``count`` images, the same number from each source.

        Args:
            numbers: rows to make them from.
            count: in all; rounded up to whole sources.
        """
        each = -(-count // len(numbers))
        parts = [self._from(int(number), each) for number in track(numbers, "synthesising")]
        return WidthImages.joined([part.first(each) for part in parts if part is not None])

    def _from(self, number: int, count: int) -> WidthImages | None:
        path, refused = (self.folder / f"{number:05d}.{kind}" for kind in ("npz", "refused"))
        if refused.exists():
            return None
        if path.exists() and len(there := WidthImages.load(path)) >= count:
            return there
        made = _synthetic(number, self.rows[number], self.masks_of, count)
        if made is None:
            refused.parent.mkdir(parents=True, exist_ok=True)
            refused.touch()
        else:
            made.save(path)
        return made


def _still_true(images: WidthImages, rows: Sequence[JointRow]) -> WidthImages:
    """Measure the first image again: the definition of the width may have changed since."""
    number = int(images.numbers[0])
    again = _real(number, rows[number])
    if again is None or abs(float(again.width_mm[0] - images.width_mm[0])) > SAME_WIDTH_MM:
        raise LamellaError(
            "the folder holds widths that were measured in another way: start in a new folder"
        )
    return images


def _real(number: int, row: JointRow) -> WidthImages | None:
    joint = load_joint(row)
    if mask_faults(joint.upper, joint.lower):
        return None
    try:
        space = measure_joint_space(joint.masks, PUBLISHED_SPACING_MM)
    except LamellaError:
        return None
    assert space.jsw_mm is not None
    return _labelled([(binned(joint.pixels), space.jsw_mm)], row.joint, number)


def _synthetic(number: int, row: JointRow, masks_of: MasksOf, count: int) -> WidthImages | None:
    """Poses are drawn in their order; one that the image cannot show is drawn again."""
    loaded = load_joint(row)
    radiograph = replace(loaded.radiograph, pixel_spacing_mm=PUBLISHED_SPACING_MM)
    try:
        joint = adjustable(separate(radiograph, masks_of(loaded)), seed=number)
    except LamellaError:
        return None
    rng, made = np.random.default_rng([POSE_SEED, number]), []
    for _ in range(TRIES_PER_IMAGE * count):
        wanted = float(rng.uniform(*WIDTHS_MM))
        shift = float(rng.uniform(-MOST_SHIFT_MM, MOST_SHIFT_MM))
        rotation = float(rng.uniform(-MOST_ROTATION_DEG, MOST_ROTATION_DEG))
        try:
            image = joint.at(joint.posed(wanted, shift, rotation))
        except LamellaError:
            continue
        made.append((binned(image.radiograph.pixels), wanted))
        if len(made) == count:
            break
    return _labelled(made, row.joint, number) if made else None


def _labelled(pairs: Sequence[tuple[np.ndarray, float]], joint: str, number: int) -> WidthImages:
    images, widths = zip(*pairs, strict=True)
    return WidthImages(
        images=np.stack(images),
        width_mm=np.asarray(widths, np.float32),
        joints=np.asarray([joint] * len(widths)),
        numbers=np.full(len(widths), number),
    )
