"""``lamella demo``: phantoms whose layers are known, taken apart and compared with the truth."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from lamella.cli.console import ExitCode, UsageError, console, say

if TYPE_CHECKING:
    import numpy as np
    from rich.table import Table

    from lamella.cli.runs import Outcome, Run
    from lamella.physics.phantoms import JointPhantom
    from lamella.records import BoneMasks, Layers, Radiograph

CASES: Mapping[str, Mapping[str, Any]] = {
    "mild-overlap": {"jsw_mm": -0.1, "flexion_deg": 3.0},
    "strong-overlap": {"jsw_mm": -1.0, "flexion_deg": 8.0, "bone_contrast": 1.2},
    "osteophyte-open": {"jsw_mm": 1.8, "osteophyte": 0.8},
    "sesamoid": {"jsw_mm": -0.4, "flexion_deg": 5.0, "sesamoid": True, "air": True},
}
"""What each phantom differs in from the usual one."""

VISITS: Mapping[str, Any] = {}
"""The same of the joint seen at several visits."""

GREY_LEVELS = 255
SMALLEST_MSE = 1e-20
GIVEN_NOTE = "segmentation declined this phantom ({reason}): its true masks were used"


def demo(
    *,
    out: Annotated[Path | None, Parameter(name=("--out", "-o"))] = None,
    seed: int = 0,
    spine: Annotated[bool, Parameter(negative=())] = False,
    force: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Separate phantoms whose layers are known, compare visits, and show how well that went.

    Args:
        out: folder for the results, lamella-demo unless named; made when it is missing.
        seed: draws the phantoms.
        spine: show a fractured phantom spine instead, in lamella-demo-spine unless named.
        force: replace results that exist.
    """
    if not 0 <= seed < 2**31:
        raise UsageError(f"expected --seed from 0 to {2**31 - 1}, got {seed}")
    if spine:
        from lamella.cli.demo_spine import DEFAULT_OUT, SpineDemo

        return SpineDemo(out=out or DEFAULT_OUT, seed=seed, force=force).run()
    return _joints(out or Path("lamella-demo"), seed, force)


def _joints(out: Path, seed: int, force: bool) -> int:
    started = time.perf_counter()
    from lamella.cli.demo_visits import PAGE as VISITS_PAGE
    from lamella.cli.demo_visits import write_visits
    from lamella.cli.runs import Run, run_record, write_run
    from lamella.zoo.models import weights_sha256

    command = f"lamella demo --seed {seed}{' --force' if force else ''}"
    run = Run(
        out=out,
        command=command,
        weights_sha256=weights_sha256(),
        seed=seed,
        title="Phantoms with known layers",
    )
    _refuse_overwriting(run, force)
    table = _table()
    outcomes = [_shown(name, seed + place, run, table) for place, name in enumerate(CASES)]
    seconds = time.perf_counter() - started
    write_run(run, outcomes, seconds)
    visits = write_visits(out, run_record(run, outcomes, seconds), seed, **VISITS)
    console().print(table)
    for note in (f"{outcome.name}: {note}" for outcome in outcomes for note in outcome.notes):
        say(note)
    for sentence in visits:
        say(sentence)
    say(f"visits: {out / VISITS_PAGE}")
    say(f"report: {run.page}")
    return ExitCode.OK


def phantom_radiograph(phantom: JointPhantom, name: str) -> Radiograph:
    """A phantom as an 8-bit radiograph."""
    import numpy as np

    from lamella.records import IntensityScale, Radiograph, SpacingSource

    return Radiograph(
        pixels=(np.rint(GREY_LEVELS * phantom.intensity) / GREY_LEVELS).astype(np.float32),
        pixel_spacing_mm=phantom.spec.pixel_spacing_mm,
        spacing_source=SpacingSource.PHANTOM,
        intensity_scale=IntensityScale.SIMULATED,
        grey_level=1.0 / GREY_LEVELS,
        source=name,
    )


def true_images(phantom: JointPhantom) -> dict[str, np.ndarray]:
    """Bone -> its true image with its soft tissue, ``1 - exp(-(a_soft + a_bone))``, (row, col)."""
    import numpy as np

    soft = phantom.soft_absorbance
    bones = phantom.bone_absorbance.items()
    return {name: np.asarray(-np.expm1(-(soft + bone)), np.float32) for name, bone in bones}


def equal_split(layers: Layers) -> dict[str, np.ndarray]:
    """Bone images if each bone got half of the bone absorbance where both are, (row, col)."""
    import numpy as np

    overlap, soft = layers.masks.overlap, layers.soft_absorbance
    half = 0.5 * np.sum(list(layers.bone_absorbance.values()), axis=0)
    halved = {}
    for name, bone in layers.bone_absorbance.items():
        halved[name] = np.asarray(-np.expm1(-(soft + np.where(overlap, half, bone))), np.float32)
    return halved


def psnr_db(found: np.ndarray, true: np.ndarray, region: np.ndarray) -> float | None:
    """``-10 log10(mean((L - L_true)^2))`` over a region, dB; None where the region is empty."""
    import numpy as np

    if not region.any():
        return None
    mse = float(np.mean((found[region] - true[region]) ** 2))
    return float(-10.0 * np.log10(max(mse, SMALLEST_MSE)))


def _shown(name: str, seed: int, run: Run, table: Table) -> Outcome:
    """Make one phantom, take it apart, write it and add its rows to the table."""
    from lamella.cli.outputs import Origin, described, write_result
    from lamella.cli.runs import Fate, Outcome
    from lamella.physics.phantoms import JointPhantomSpec, joint_phantom
    from lamella.zoo.verbs import separate

    phantom = joint_phantom(JointPhantomSpec(seed=seed, **CASES[name]))
    radiograph = phantom_radiograph(phantom, name)
    started = time.perf_counter()
    masks, notes = _masks(radiograph, phantom)
    layers = separate(radiograph, masks)
    seconds = time.perf_counter() - started
    truth = true_images(phantom)
    sha256 = hashlib.sha256(radiograph.pixels.tobytes()).hexdigest()
    origin = Origin(name=name, input_sha256=sha256, weights_sha256=run.weights_sha256)
    result = described(layers, origin, {"segment and separate": 1000.0 * seconds})
    folder = write_result(run.out, layers, result, truth)
    for row in _rows(name, layers, phantom, result):
        table.add_row(*row)
    return Outcome(
        name=name,
        fate=Fate.FLAGGED if layers.masks.flags else Fate.DONE,
        reason=" · ".join(layers.masks.flags) or None,
        folder=folder,
        result=result,
        inputs_sha256={name: sha256},
        notes=notes,
        truth=truth,
    )


def _masks(radiograph: Radiograph, phantom: JointPhantom) -> tuple[BoneMasks, tuple[str, ...]]:
    """Segmented masks; where segmentation declines, the true ones and a sentence that says so."""
    from lamella.records import BoneMasks
    from lamella.zoo.verbs import segment

    found = segment(radiograph)
    if found.refused is None:
        return found, ()
    given = BoneMasks(masks=phantom.masks, origin="phantom truth")
    return given, (GIVEN_NOTE.format(reason=found.refused),)


def _rows(
    name: str, layers: Layers, phantom: JointPhantom, result: Mapping[str, Any]
) -> Iterator[tuple[str, ...]]:
    from lamella.zoo.verbs import separate

    truth = true_images(phantom)
    given = separate(layers.radiograph, phantom.masks)
    split = equal_split(given)
    region = phantom.masks["upper"] & phantom.masks["lower"]
    residual = f"{result['max_residual']['intensity']:.1e}"
    for place, bone in enumerate(layers.bone_absorbance):
        images = (layers.bone_image(bone), given.bone_image(bone), split[bone])
        scores = (psnr_db(image, truth[bone], region) for image in images)
        shown = ["-" if score is None else f"{score:.1f} dB" for score in scores]
        yield (name if place == 0 else "", bone, *shown, residual if place == 0 else "")


def _table() -> Table:
    from rich import box
    from rich.table import Table

    title = (
        "PSNR against the true layers in the overlap: with outlines found, with the true ones\n"
        "given, and by an equal split with the true ones; largest error of the sum of layers"
    )
    table = Table(title=title, box=box.ASCII, title_justify="left")
    for heading in ("phantom", "bone", "found", "given", "equal split", "residual"):
        table.add_column(heading, no_wrap=True)
    return table


def _refuse_overwriting(run: Run, force: bool) -> None:
    from lamella.cli.demo_visits import PAGE as VISITS_PAGE
    from lamella.cli.outputs import refuse_foreign, refuse_unwritable, remove_stale
    from lamella.io.write import guard_output

    refuse_unwritable(run.out)
    folders = [run.out / name for name in CASES]
    guard_output([*folders, run.file, run.page, run.out / VISITS_PAGE], force)
    for folder in folders:
        if folder.exists():
            refuse_foreign(folder)
    remove_stale(run.out)
