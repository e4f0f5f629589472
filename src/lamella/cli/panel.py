"""``lamella panel``: a reading study from separated joints, and its scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from lamella.cli.console import ExitCode, UsageError, say

FEWEST_IMAGES = 4
SIDES_PX = (16, 256)
LARGEST_SEED = 2**31


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class PanelOptions:
    """What ``lamella panel`` was asked to do.

    Args:
        out: folder of the panel.
        images: in each set, half of them real.
        side_px: of a crop of one bone; crops of joints are twice as wide.
        smallest_overlap_px: that makes a layer count as generated.
        seed: draws and orders the images.
        generated_joints: folder of synthetic joints, for the set of joints.
        score: filled sheets.
        key: where the sealed key lies, when it is no longer in the panel's folder.
        force: replace a blank panel, or scores.
    """

    out: Annotated[
        Path, Parameter(name=("--out", "-o"), help="Folder of the panel, to write or to score.")
    ] = Path("lamella-panel")
    images: Annotated[int, Parameter(help="Images in each set, half of them real.")] = 50
    side_px: Annotated[
        int, Parameter(name="--side", help="Width of a bone's crop, pixels of 0.082 mm.")
    ] = 96
    smallest_overlap_px: Annotated[
        int, Parameter(name="--smallest-overlap", help="Smallest overlap shown, in pixels.")
    ] = 20
    seed: Annotated[int | None, Parameter(help="Draws and orders the images; kept in the key.")] = (
        None
    )
    generated_joints: Annotated[
        Path | None, Parameter(help="Folder of synthetic joint images, for the set 'joint'.")
    ] = None
    score: Annotated[
        list[Path],
        Parameter(
            consume_multiple=True, negative=(), help="Filled sheets, one per reader: score them."
        ),
    ] = field(default_factory=list)
    key: Annotated[Path | None, Parameter(help="The sealed key, when it was moved.")] = None
    force: Annotated[
        bool, Parameter(negative=(), help="Replace a blank panel, or earlier scores.")
    ] = False


DEFAULTS = PanelOptions()


def panel(*results: Path, options: PanelOptions = DEFAULTS) -> int:
    """Make a reading study from separated joints, or score its readers.

    Makes sets of crops, half of them from separated layers and half from radiographs of bones
    that nothing overlaps, in random order and with matched grey levels; a sheet to fill; and a
    sealed key, to be taken out of the folder before it goes to the readers. With --score, prints
    and writes sensitivity, specificity, accuracy and Fleiss' kappa.

    Args:
        results: folders that lamella separate wrote.
        options: what to draw, or which sheets to score.
    """
    if options.score:
        return _score(results, options)
    _refuse_usage(results, options)
    from lamella.cli.panel_draw import drawn
    from lamella.cli.panel_files import KEY_FILE, refuse_in_the_way, write_panel

    refuse_in_the_way(options.out, options.force)
    written = drawn(results, options)
    commitment = write_panel(options.out, written)
    for name, count in written.panel["images_per_set"].items():
        say(f"{name}: {count} images, half of them real")
    if options.generated_joints is None:
        say("joint: left out, a recomposed joint equals its input; see --generated-joints")
    say(f"panel: {options.out}")
    say(f"key: {options.out / KEY_FILE}, not for the readers; SHA-256 {commitment}")
    return ExitCode.OK


def _score(results: Sequence[Path], options: PanelOptions) -> int:
    if results:
        raise UsageError("--score takes filled sheets only: name the panel's folder with --out")
    from lamella.cli.panel_scores import scored

    say(scored(options))
    return ExitCode.OK


def _refuse_usage(results: Sequence[Path], options: PanelOptions) -> None:
    if not results:
        raise UsageError("name a folder that lamella separate wrote, or sheets with --score")
    if options.key is not None:
        raise UsageError("--key belongs to --score: a new key is written into the panel's folder")
    if options.images < FEWEST_IMAGES or options.images % 2:
        raise UsageError(f"expected --images even and at least 4, got {options.images}")
    low, high = SIDES_PX
    if not low <= options.side_px <= high:
        raise UsageError(f"expected --side from {low} to {high} pixels, got {options.side_px}")
    _refuse_numbers(options)


def _refuse_numbers(options: PanelOptions) -> None:
    smallest = options.smallest_overlap_px
    if smallest < 1:
        raise UsageError(f"expected --smallest-overlap of 1 pixel or more, got {smallest}")
    if options.seed is not None and not 0 <= options.seed < LARGEST_SEED:
        raise UsageError(f"expected --seed from 0 to {LARGEST_SEED - 1}, got {options.seed}")
