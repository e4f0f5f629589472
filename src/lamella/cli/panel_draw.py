"""Which crops a reading panel shows, drawn with one seed from results of ``lamella separate``."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lamella import __version__
from lamella.cli.inputs import RESULT_FILE, image_files
from lamella.cli.outputs import NOTICE
from lamella.cli.panel import LARGEST_SEED, PanelOptions
from lamella.cli.panel_files import Written
from lamella.cli.progress import tracked
from lamella.cli.stored import Shelf, read_result
from lamella.io import read
from lamella.io.boundary import printable_name
from lamella.io.datasets import mask_faults
from lamella.io.write import sha256_of
from lamella.prepare.grid import JointGrid
from lamella.records import LamellaError, Layers, Radiograph
from lamella.tasks.reading import (
    BoneEnd,
    Crop,
    Kind,
    central_crop,
    chosen,
    matched_levels,
    paired_crops,
    refuse_too_few,
)

BONES = ("upper", "lower")
JOINT = "joint"
JOINT_SIDES = 2
SALT_BYTES = 32

Joints = Mapping[str, Layers]
"""SHA-256 of a radiograph's file -> its layers, read when used."""


def drawn(results: Sequence[Path], options: PanelOptions) -> Written:
    """A panel's pictures, its key, and what anybody may know of it.

    The key holds the seed, and of every picture its kind and its input's SHA-256: no name of any
    file. The same results, options and seed give the same pictures and the same order.

    Raises:
        LamellaError: no or damaged results, or too few for balanced sets.
    """
    seed = secrets.randbelow(LARGEST_SEED) if options.seed is None else options.seed
    sets = _sets(results, options, np.random.default_rng(seed))
    pictures: dict[str, np.ndarray] = {}
    entries = []
    for name, crops in sets.items():
        for number, (crop, picture) in enumerate(
            zip(crops, matched_levels(crops), strict=True), start=1
        ):
            image = f"{name}/{number:03d}.png"
            pictures[image] = picture
            entries.append(_entry(image, crop, picture))
    key = {"salt": secrets.token_hex(SALT_BYTES), "seed": seed, "images": entries}
    counts = {name: len(crops) for name, crops in sets.items()}
    return Written(pictures=pictures, key=key, panel=_public(counts, options))


def result_folders(results: Sequence[Path]) -> list[Path]:
    """Folders of single results in the given ones, each once.

    Raises:
        LamellaError: a folder without any.
    """
    found: dict[Path, None] = {}
    for path in results:
        here = sorted(file.parent for file in path.rglob(RESULT_FILE))
        if not here:
            raise LamellaError(
                f"expected results of lamella separate in {printable_name(path)}, found none: "
                "separate radiographs first"
            )
        found |= dict.fromkeys(one.resolve() for one in here if not one.name.startswith("."))
    return list(found)


def _public(counts: Mapping[str, int], options: PanelOptions) -> dict[str, Any]:
    return {
        "notice": NOTICE,
        "lamella": __version__,
        "images_per_set": counts,
        "side_px": options.side_px,
        "smallest_overlap_px": options.smallest_overlap_px,
        "answers": "real or generated, for every image",
    }


def _entry(image: str, crop: Crop, picture: np.ndarray) -> dict[str, Any]:
    return {
        "image": image,
        "kind": str(crop.kind),
        "input_sha256": crop.source,
        "overlap_px": crop.overlap_px,
        "pixels_sha256": hashlib.sha256(picture.tobytes()).hexdigest(),
    }


def _sets(
    results: Sequence[Path], options: PanelOptions, rng: np.random.Generator
) -> dict[str, list[Crop]]:
    """Balanced crops of every set, shuffled."""
    joints = dict(_joints(tracked(result_folders(results), "reading results")))
    sets = {bone: _bone_crops(bone, joints, options, rng) for bone in BONES}
    if options.generated_joints is not None:
        sets[JOINT] = _joint_crops(options.generated_joints, joints, options, rng)
    return {name: chosen(crops, len(crops), rng) for name, crops in sets.items()}


def _joints(folders: Iterable[Path]) -> Iterator[tuple[str, Layers]]:
    """Every joint of the results whose masks can be right."""
    shelf = Shelf()
    for folder in folders:
        try:
            sha256 = str(read_result(folder)["origin"]["input_sha256"])
            layers = shelf.layers(folder)
        except (KeyError, TypeError):
            raise LamellaError(f"the result {folder.name} is damaged: make it again") from None
        masks = layers.masks
        if set(masks) == set(BONES) and not mask_faults(masks["upper"], masks["lower"]):
            yield sha256, layers


def _bone_crops(
    bone: str, joints: Joints, options: PanelOptions, rng: np.random.Generator
) -> list[Crop]:
    overlaps = {sha256: int(layers.masks.overlap.sum()) for sha256, layers in joints.items()}
    crossed = [one for one, size in overlaps.items() if size >= options.smallest_overlap_px]
    free = [one for one, size in overlaps.items() if size == 0]
    half = options.images // 2
    refuse_too_few(bone, (len(crossed), len(free)), half)
    generated = [_layer(bone, one, joints[one]) for one in chosen(crossed, half, rng)]
    real = [_bone(bone, one, joints[one]) for one in chosen(free, half, rng)]
    return list(paired_crops(generated, real, options.side_px))


def _joint_crops(
    folder: Path, joints: Joints, options: PanelOptions, rng: np.random.Generator
) -> list[Crop]:
    """Middles of synthetic joints and of radiographs that are large enough."""
    side_px, half = JOINT_SIDES * options.side_px, options.images // 2
    synthetic = {sha256_of(path): read(path) for path in image_files([folder], options.out)}
    observed = {sha256: layers.radiograph for sha256, layers in joints.items()}
    real = _middles(observed, Kind.REAL, side_px)
    generated = _middles(
        {one: image for one, image in synthetic.items() if one not in observed},
        Kind.GENERATED,
        side_px,
    )
    refuse_too_few(JOINT, (len(generated), len(real)), half)
    return [*chosen(generated, half, rng), *chosen(real, half, rng)]


def _middles(images: Mapping[str, Radiograph], kind: Kind, side_px: int) -> list[Crop]:
    crops = []
    for sha256, image in images.items():
        pixels = np.asarray(JointGrid.of(image).to_network(image.pixels))
        if min(pixels.shape) >= side_px:
            crops.append(
                central_crop(pixels, side_px, kind=kind, source=sha256, grey_level=image.grey_level)
            )
    return crops


def _layer(bone: str, sha256: str, layers: Layers) -> BoneEnd:
    return _end(bone, sha256, layers, layers.bone_image(bone))


def _bone(bone: str, sha256: str, layers: Layers) -> BoneEnd:
    return _end(bone, sha256, layers, layers.radiograph.pixels)


def _end(bone: str, sha256: str, layers: Layers, pixels: np.ndarray) -> BoneEnd:
    """One bone on the networks' grid, with the pixels to show of it."""
    grid = JointGrid.of(layers.radiograph)
    other = next(name for name in BONES if name != bone)
    return BoneEnd(
        source=sha256,
        name=bone,
        mask=grid.mask_to_network(layers.masks[bone]),
        other=grid.mask_to_network(layers.masks[other]),
        pixels=np.asarray(grid.to_network(pixels)),
        grey_level=layers.radiograph.grey_level,
    )
