"""``lamella spine``: a CT and its labels in; heights, losses, grades and a page out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from lamella.cli.console import ExitCode, UsageError, complain, say

if TYPE_CHECKING:
    from lamella.cli.spine_run import Assessed

METHOD = "healthivert"


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SpineOptions:
    """What ``lamella spine`` was asked to do, beside its CT.

    Args:
        labels: file of labels, or one file per vertebra, or a folder of such; the words up to
            the next option are files of it, so that a CT comes before.
        out: folder for the results.
        bodies: mask of the vertebral bodies, or None: they are found in the labels.
        label_scheme: numbers of the labels, or None: recognised.
        method: how healthy heights and the pseudo-healthy image are made.
        levels: to generate besides the fractured ones, separated by commas.
        every: generate every level.
        generate: make pseudo-healthy images.
        force: replace what is there.
    """

    labels: Annotated[
        tuple[Path, ...],
        Parameter(
            consume_multiple=True,
            negative=(),
            help="Labelled vertebrae: NIfTI, NRRD, MetaImage, DICOM SEG, or a file per vertebra.",
        ),
    ]
    out: Annotated[
        Path,
        Parameter(name=("--out", "-o"), help="Folder for the results; made when it is missing."),
    ]
    bodies: Annotated[
        Path | None, Parameter(help="Mask of the vertebral bodies. Otherwise found in the labels.")
    ] = None
    label_scheme: Annotated[
        str | None,
        Parameter(
            help="verse, totalsegmentator, totalsegmentator-v1 or totalspineseg; otherwise "
            "recognised, but for the last."
        ),
    ] = None
    method: Annotated[
        str, Parameter(help="How healthy heights are told; a wrong name lists all.")
    ] = METHOD
    levels: Annotated[
        str | None, Parameter(help="Generate these, as T12,L1, besides the fractured ones.")
    ] = None
    every: Annotated[
        bool, Parameter(name="--all", negative=(), help="Generate every vertebra.")
    ] = False
    generate: Annotated[
        bool,
        Parameter(negative="--no-generate", help="Make the pseudo-healthy image of fractures."),
    ] = True
    force: Annotated[bool, Parameter(negative=(), help="Replace results that exist.")] = False

    @property
    def command(self) -> str:
        """The command without what could name a person: option names and numbers only."""
        said = {
            "--bodies …": self.bodies is not None,
            f"--label-scheme {self.label_scheme}": self.label_scheme is not None,
            f"--method {self.method}": self.method != METHOD,
            f"--levels {self.levels}": self.levels is not None,
            "--all": self.every,
            "--no-generate": not self.generate,
            "--force": self.force,
        }
        words = (words for words, given in said.items() if given)
        return " ".join(["lamella spine … --labels …", *words])

    @property
    def wanted(self) -> tuple[str, ...] | str | None:
        """Levels to generate; besides the fractured ones; ``()`` none at all, ``"all"`` every one.

        Raises:
            UsageError: a name that is no level.
        """
        if self.every:
            return "all"
        if not self.generate:
            return ()
        return None if self.levels is None else level_names(self.levels)


def spine(ct: Path | None = None, /, *, options: SpineOptions) -> int:
    """Measure vertebral height loss, grade fractures, and show the spine before them.

    Writes vertebrae.csv and vertebrae.json with a row per vertebra, run.json, one report.html
    that needs no network, and, with a CT, pseudo_healthy_ct.nii.gz and
    pseudo_healthy_labels.nii.gz on the CT's own grid. Labels alone are enough for heights,
    losses and grades. Research use only.

    Args:
        ct: CT as NIfTI, NRRD, MetaImage, or a DICOM folder or zip; may be left out.
        options: the labels, where results go, and which vertebrae are generated.
    """
    _refuse_usage(ct, options)
    from lamella.cli.spine_run import assessed

    try:
        found = assessed(ct, options)
    except KeyboardInterrupt:
        complain("interrupted: nothing was written")
        return ExitCode.INTERRUPTED
    _say(options, found)
    return ExitCode.OK


def level_names(text: str) -> tuple[str, ...]:
    """Levels out of a list with commas.

    Raises:
        UsageError: an unknown level, or none.

    Example:
        >>> level_names("t12, L1")
        ('T12', 'L1')
    """
    from lamella.records import LEVELS

    names = tuple(dict.fromkeys(part.strip().upper() for part in text.split(",") if part.strip()))
    unknown = [name for name in names if name not in LEVELS]
    if unknown or not names:
        raise UsageError(f"expected --levels such as T12,L1, got {', '.join(unknown) or 'none'}")
    return names


def _refuse_usage(ct: Path | None, options: SpineOptions) -> None:
    if options.every and options.levels is not None:
        raise UsageError("give --levels or --all, not both")
    if not options.generate and (options.every or options.levels is not None):
        raise UsageError("--no-generate makes no image: leave out --levels and --all")
    if ct is None and (options.every or options.levels is not None):
        raise UsageError("a pseudo-healthy image needs a CT: name it before --labels")
    if options.levels is not None:
        level_names(options.levels)
    if ct is None:
        _refuse_ct_among(options.labels)


def _refuse_ct_among(labels: tuple[Path, ...]) -> None:
    """Several files after ``--labels`` are one per vertebra: what names no level may be the CT."""
    from lamella.io.boundary import printable_name
    from lamella.io.label_schemes import level_in

    unnamed = [printable_name(path) for path in labels if level_in(path.name) is None]
    if len(labels) > 1 and unnamed:
        raise UsageError(
            "expected files named after their levels, as vertebrae_T12.nii.gz, when --labels takes "
            f"several, got {', '.join(unnamed)}: give the CT first, before --labels"
        )


def _say(options: SpineOptions, found: Assessed) -> None:
    for line in found.answers:
        say(line)
    for warning in found.warnings:
        complain(f"warning: {warning}")
    say(f"table: {options.out / 'vertebrae.csv'}")
    if found.volume is not None:
        say(f"pseudo-healthy CT (synthetic): {found.volume}")
    say(f"report: {options.out / 'report.html'}")
