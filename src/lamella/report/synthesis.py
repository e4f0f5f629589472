"""The page of a synthesis run: every joint live at any width, and a sheet of what was made."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lamella.records import RunRecord
from lamella.report import document, images, live, wording
from lamella.tasks.synthesis import AdjustableJoint
from lamella.types import Image

THUMBNAIL_PX = 176
STATUSES = ("ok", "flagged", "refused")


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """One synthesised joint on the contact sheet.

    Args:
        label: what is printed under it, for instance its joint space width.
        pixels: intensity in [0, 1], (row, col).
    """

    label: str
    pixels: Image


@dataclass(frozen=True, kw_only=True, eq=False)
class SynthesisCase:
    """One joint of a run, as the page shows it.

    Args:
        name: a name that is safe to show (never a patient's).
        joint: ready to be moved, or None when the joint was refused or failed.
        problem: one line that says why, without identifiers.
        samples: what was made of it, or a selection.
        side: of the body, when it is known.
    """

    name: str
    joint: AdjustableJoint | None
    problem: str | None = None
    samples: Sequence[Sample] = ()
    side: live.Side | None = None

    @property
    def status(self) -> str:
        """ok, flagged (made, but look at it) or refused."""
        if self.joint is None:
            return "refused"
        masks = self.joint.layers.masks
        return "flagged" if masks.flags or self.joint.joint_space.flags or self.problem else "ok"

    @property
    def reason(self) -> str | None:
        """One line: why the joint is not simply ok, or None when it is."""
        if self.joint is None:
            return wording.one_line(self.problem or "no reason was recorded")
        space, masks = self.joint.joint_space, self.joint.layers.masks
        reasons = [text for text in (self.problem, *masks.flags, *space.flags) if text]
        return wording.one_line(" · ".join(reasons)) if reasons else None


def synthesis_page(
    cases: Sequence[SynthesisCase], run: RunRecord, title: str = "Joint synthesis"
) -> str:
    """The whole HTML document of a synthesis run.

    Args:
        cases: the joints, in the order to show them; refused ones included.
        run: what made them. Values in its command are left out, for they may name a person.
        title: heading of the page.

    Returns:
        One HTML document that fetches nothing.

    Example:
        >>> from lamella.records import RunRecord
        >>> run = RunRecord(
        ...     command="lamella synthesize", versions={}, weights_sha256={}, inputs_sha256={}
        ... )
        >>> case = SynthesisCase(name="joint 1", joint=None, problem="not a joint")
        >>> "not a joint" in synthesis_page([case], run)
        True
    """
    return document.rendered(
        "synthesis.html.j2",
        title=title,
        cases=[_case_context(index, case) for index, case in enumerate(cases)],
        tally=_tally(cases),
        run=document.run_context(run, {case.name for case in cases}),
        style=document.joined(("report.css", *live.STYLES)),
        script=document.joined((*live.SCRIPTS, "synthesis.js")),
    )


def _tally(cases: Sequence[SynthesisCase]) -> list[tuple[str, int]]:
    """Each status that occurs, with the number of its joints."""
    counts = Counter(case.status for case in cases)
    return [(status, counts[status]) for status in STATUSES if counts[status]]


def _case_context(index: int, case: SynthesisCase) -> dict[str, Any]:
    joint = case.joint
    pixels = None if joint is None else joint.layers.radiograph.pixels
    return {
        "index": index,
        "name": case.name,
        "status": case.status,
        "reason": case.reason,
        "live": None if joint is None else live.view(joint, case.name, case.side),
        "thumbnail": None if pixels is None else images.thumbnail(pixels),
        "samples": [_sample_context(sample) for sample in case.samples],
    }


def _sample_context(sample: Sample) -> dict[str, str]:
    return {"label": sample.label, "image": images.thumbnail(sample.pixels, THUMBNAIL_PX)}
