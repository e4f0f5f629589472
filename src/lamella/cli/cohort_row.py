"""One sample made again from its row of the manifest, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lamella.cli.batch import origin_of, reason_of, taken_apart
from lamella.cli.cohort_files import SOURCES_FOLDER
from lamella.cli.cohort_work import About, Source, layers_record, source_record
from lamella.cli.console import UsageError
from lamella.cli.inputs import find_jobs
from lamella.cli.outputs import refuse_unwritable
from lamella.cli.separate import SeparateOptions
from lamella.cli.stored import load_layers
from lamella.cli.synthesize import SynthesizeOptions
from lamella.io.manifest import read_row
from lamella.io.sample import write_sample
from lamella.io.write import guard_output
from lamella.records import LamellaError, Layers
from lamella.tasks.cohort import remade
from lamella.zoo.models import weights_sha256
from lamella.zoo.verbs import adjustable


def make_again(images: Sequence[Path], options: SynthesizeOptions) -> Path:
    """Make the sample of ``--row MANIFEST:ID`` again; its image, in the output folder.

    Its joint's layers come from the images, the right one found by its SHA-256; or, without
    images, from ``sources`` beside the manifest.

    Raises:
        LamellaError: no such row; another source, mask or network than the row's; an image that
            differs from the row's; something in the way.
        UsageError: not MANIFEST:ID.
    """
    manifest, _, name = (options.row or "").rpartition(":")
    if not (manifest and name):
        raise UsageError("expected --row MANIFEST:ID, as --row cohort/manifest.csv:joint_w012_0000")
    refuse_unwritable(options.out)
    row = read_row(Path(manifest), name)
    about = About.of_row(row)
    source, layers = (
        _separated(images, about, options)
        if images
        else _stored(Path(manifest).parent / SOURCES_FOLDER, about)
    )
    seed = int(about.layers["grain_seed"])
    _refuse_difference(about.source, source_record(source))
    _refuse_difference(about.layers, layers_record(source, seed))
    record, files = about.described(remade(adjustable(layers, seed), row))
    image = next(iter(files))
    if record["files"][image] != row["image_sha256"]:
        raise LamellaError(
            "the image made differs from the row's: was it made by other versions of Lamella or "
            "its libraries? compare run.json with lamella info"
        )
    guard_output([options.out / file for file in (*files, f"{name}.json")], options.force)
    write_sample(options.out, record, files)
    return options.out / image


def _stored(folder: Path, about: About) -> tuple[Source, Layers]:
    try:
        source = Source.of(folder / str(about.source["name"]))
        return source, load_layers(source.folder)
    except (LamellaError, KeyError, ValueError):
        raise LamellaError(
            f"found no usable result in {SOURCES_FOLDER} beside the manifest: name the radiograph "
            "as well"
        ) from None


def _separated(
    images: Sequence[Path], about: About, options: SynthesizeOptions
) -> tuple[Source, Layers]:
    separation = SeparateOptions(
        out=options.out,
        upper=options.upper,
        lower=options.lower,
        pixel_spacing_mm=about.source["given_spacing_mm"],
        method=about.layers["separation"],
    )
    wanted = about.source["input_sha256"]
    jobs = find_jobs(images, separation)
    job = next((job for job in jobs if job.sha256 == wanted and job.problem is None), None)
    if job is None:
        raise LamellaError("found no radiograph with the row's source_sha256 among the images")
    try:
        layers = taken_apart(job, separation).layers
    except LamellaError as error:
        raise LamellaError(f"{job.source}: {reason_of(job, error)}") from None
    origin = origin_of(job, separation, weights_sha256()).record()
    name = str(about.source["name"])
    return Source(name=name, folder=options.out, origin=origin, method=layers.method), layers


def _refuse_difference(wanted: Mapping[str, object], found: Mapping[str, object]) -> None:
    for key, value in wanted.items():
        if found[key] != value:
            raise LamellaError(
                f"the joint's {key.replace('_', ' ')} is not the row's: give the same radiograph, "
                "masks and release"
            )
