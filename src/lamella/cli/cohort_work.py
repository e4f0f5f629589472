"""What a worker of a cohort does: prepare a stored joint, make its samples, describe them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from lamella import __version__
from lamella.cli.outputs import NOTICE
from lamella.cli.stored import load_layers, read_result
from lamella.io import read_mask
from lamella.io.annotation import annotation_of
from lamella.io.coco import bone_entries, image_entry
from lamella.io.dicom_write import Derivation
from lamella.io.manifest import COLUMNS, row_of
from lamella.io.sample import complete_record, digests, sample_files, write_sample
from lamella.records import LamellaError, SyntheticJoint
from lamella.tasks.cohort import CohortRequest, Draw, grain_seed, reachable_widths, sampled
from lamella.tasks.synthesis import AdjustableJoint
from lamella.types import Mask
from lamella.zoo.verbs import BONES, adjustable

SAMPLES_FOLDER = "samples"
KEPT_JOINTS = 2
NUMBERS_PER_WIDTH = 10_000
LAYERS_COLUMNS = ("method", "separation", "separator_sha256", "segmenter_sha256", "grain_seed")
DRAWN_COLUMNS = ("asked_jsw_mm", "asked_shift_mm", "width_index", "repeat", "seed")


@dataclass(frozen=True, kw_only=True)
class Source:
    """A separated joint on disk.

    Args:
        name: safe to show.
        folder: of its result.
        origin: what the result was made from, as ``result.json`` has it.
        method: name of the separator.
    """

    name: str
    folder: Path
    origin: Mapping[str, Any]
    method: str

    @classmethod
    def of(cls, folder: Path) -> Source:
        """A result folder of ``lamella separate``.

        Raises:
            LamellaError: there is no such result, or it is damaged.
        """
        result = read_result(folder)
        return cls(
            name=folder.name, folder=folder, origin=result["origin"], method=result["method"]
        )

    @property
    def sha256(self) -> str:
        """Of the radiograph's file."""
        return str(self.origin["input_sha256"])


@dataclass(frozen=True, kw_only=True)
class About:
    """What a sample's record says beside what was measured on it.

    Args:
        name: of the sample.
        image_format: of its image.
        source: the radiograph's name, digests and spacing as given.
        layers: method, networks' SHA-256 and seed of the grain.
        drawn: what was asked for, and the sample's place in the plan.
    """

    name: str
    image_format: str
    source: Mapping[str, Any]
    layers: Mapping[str, Any]
    drawn: Mapping[str, Any]

    @classmethod
    def of_row(cls, row: Mapping[str, str]) -> About:
        """The same from a row of the manifest.

        Raises:
            LamellaError: the row lacks a column or holds something else than its type.
        """
        try:
            values = {
                name: kind(row[name]) if row[name] else None for name, kind in COLUMNS.items()
            }
        except (KeyError, ValueError):
            raise LamellaError(
                "the row is damaged: expected every column of the manifest"
            ) from None
        masks = {bone: values[f"mask_{bone}_sha256"] for bone in ("upper", "lower")}
        return cls(
            name=str(values["id"]),
            image_format=str(values["format"]),
            source={
                "name": values["source"],
                "input_sha256": values["source_sha256"],
                "mask_sha256": {bone: sha for bone, sha in masks.items() if sha},
                "given_spacing_mm": values["given_spacing_mm"],
            },
            layers={name: values[name] for name in LAYERS_COLUMNS},
            drawn={name: values[name] for name in DRAWN_COLUMNS},
        )

    def described(self, joint: SyntheticJoint) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The sample's record, and its other files by name."""
        files = sample_files(self.name, joint, self.image_format, self._derivation(joint))
        record = {
            "id": self.name,
            "notice": NOTICE,
            "lamella": __version__,
            "format": self.image_format,
            "source": dict(self.source),
            "layers": dict(self.layers),
            "drawn": dict(self.drawn),
            **annotation_of(joint),
            "files": digests(files),
        }
        return record, files

    def _derivation(self, joint: SyntheticJoint) -> Derivation:
        radiograph, pose = joint.radiograph, joint.pose
        sha, seed = self.source["input_sha256"], self.drawn["seed"]
        place = (pose.along_px, pose.across_px, pose.rotation_deg, self.layers["grain_seed"])
        return Derivation(
            description=(
                f"SYNTHETIC: bones moved to a joint space width of {joint.jsw_mm or 0.0:.3f} mm; "
                f"pixel spacing {radiograph.spacing_source}; {NOTICE.lower()}"
            ),
            study=f"{sha} {seed}",
            instance=f"{sha} {self.name} {self.layers['separator_sha256']} {place}",
            number=NUMBERS_PER_WIDTH * self.drawn["width_index"] + self.drawn["repeat"] + 1,
        )


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Samples of one joint to make in one go.

    Args:
        source: the joint.
        request: of the cohort.
        draws: the samples.
        first_id: number of the first one in ``coco.json``.
        image_format: of the images.
        out: folder of the cohort.
    """

    source: Source
    request: CohortRequest
    draws: tuple[Draw, ...]
    first_id: int
    image_format: str
    out: Path


@dataclass(kw_only=True)
class Made:
    """What became of a chunk.

    Args:
        draws: samples of the chunk.
        rows: of the manifest.
        images: entries of ``coco.json``.
        annotations: entries of ``coco.json``.
        fresh: samples that were not there already.
        failed: sample -> why it could not be made.
    """

    draws: int
    rows: list[dict[str, Any]] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    annotations: list[str] = field(default_factory=list)
    fresh: int = 0
    failed: dict[str, str] = field(default_factory=dict)

    def add(self, record: Mapping[str, Any], masks: Mapping[str, Mask], image_id: int) -> None:
        """One sample that is there."""
        row = row_of(record, f"{SAMPLES_FOLDER}/{record['source']['name']}")
        self.rows.append(row)
        self.images.append(image_entry(record, row["image"], image_id))
        self.annotations.extend(bone_entries(record, masks, image_id))


@dataclass(frozen=True, kw_only=True)
class Reach:
    """Which widths a joint can take, or why it cannot be used."""

    source: Source
    widths: np.ndarray | None
    problem: str | None = None


def reach(task: tuple[Source, CohortRequest]) -> Reach:
    """Prepare a joint and see which widths it can take."""
    source, request = task
    try:
        joint = prepared(source.folder, grain_seed(request.seed, source.sha256))
        return Reach(source=source, widths=reachable_widths(joint, request))
    except LamellaError as error:
        return Reach(source=source, widths=None, problem=str(error))


def make(chunk: Chunk) -> Made:
    """Make the samples of a chunk, or read those that are there.

    Raises:
        LamellaError: a file cannot be written.
    """
    made = Made(draws=len(chunk.draws))
    folder = chunk.out / SAMPLES_FOLDER / chunk.source.name
    for image_id, draw in enumerate(chunk.draws, chunk.first_id):
        earlier = complete_record(folder, draw.name)
        if earlier is not None:
            made.add(earlier, _masks(folder, draw.name), image_id)
            continue
        try:
            record, masks = _written(chunk, draw, folder)
        except UnmadeError as error:
            made.failed[draw.name] = str(error)
            continue
        made.fresh += 1
        made.add(record, masks, image_id)
    return made


class UnmadeError(LamellaError):
    """A sample whose pose cannot be taken."""


@lru_cache(maxsize=KEPT_JOINTS)
def prepared(folder: Path, seed: int) -> AdjustableJoint:
    """A stored joint, ready to be moved.

    Raises:
        LamellaError: its result is damaged, or its joint space cannot be measured.
    """
    return adjustable(load_layers(folder), seed)


def layers_record(source: Source, seed: int) -> dict[str, Any]:
    """What the layers of a joint depend on."""
    weights = source.origin["weights_sha256"]
    return {
        "method": source.method,
        "separation": source.origin["method"],
        "separator_sha256": weights[source.method.partition(" ")[0]],
        "segmenter_sha256": None if source.origin["mask_sha256"] else weights[BONES],
        "grain_seed": seed,
    }


def source_record(source: Source) -> dict[str, Any]:
    """Which file a joint came from."""
    kept = ("input_sha256", "mask_sha256", "given_spacing_mm")
    return {"name": source.name, **{key: source.origin[key] for key in kept}}


def _written(chunk: Chunk, draw: Draw, folder: Path) -> tuple[dict[str, Any], Mapping[str, Mask]]:
    seed = grain_seed(chunk.request.seed, chunk.source.sha256)
    joint = prepared(chunk.source.folder, seed)
    try:
        sample = sampled(joint, chunk.request, draw, chunk.source.sha256)
    except LamellaError as error:
        raise UnmadeError(str(error)) from None
    about = About(
        name=draw.name,
        image_format=chunk.image_format,
        source=source_record(chunk.source),
        layers=layers_record(chunk.source, seed),
        drawn={
            "asked_jsw_mm": sample.jsw_mm,
            "asked_shift_mm": sample.shift_mm,
            "width_index": draw.width_index,
            "repeat": draw.repeat,
            "seed": chunk.request.seed,
        },
    )
    record, files = about.described(sample.joint)
    write_sample(folder, record, files)
    return record, sample.joint.masks


def _masks(folder: Path, name: str) -> dict[str, Mask]:
    return {bone: read_mask(folder / f"{name}_mask_{bone}.png") for bone in ("upper", "lower")}
