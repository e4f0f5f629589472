"""The page of a separation run: every joint taken apart, put together again and measured.

Under each joint's layers lies the same joint, live (:mod:`lamella.report.live`), for the first few.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from lamella.records import Layers, RunRecord
from lamella.report import document, images, joint, live, wording
from lamella.types import Image

LIVE_JOINTS = 8
BEYOND_LIVE = (
    f"only the first {LIVE_JOINTS} of a page can; lamella synthesize makes a page for any other"
)


class Status(StrEnum):
    """How a joint fared in the run."""

    OK = "ok"
    FLAGGED = "flagged"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class SeparationCase:
    """One joint of a run, as the page shows it.

    Args:
        name: a name that is safe to show (never a patient's).
        layers: the separation, or None when the joint was refused or failed.
        problem: one line that says why it was refused or failed, without identifiers.
        failed: True when the joint broke (unreadable, an error) and was not merely refused.
        timings_ms: step -> milliseconds.
        notes: sentences to show beside the joint.
        truth: bone name -> its true image (row, col), intensity of the bone with its soft
            tissue as :meth:`Layers.bone_image` gives it; for phantoms.
        side: of the body, when it is known.
    """

    name: str
    layers: Layers | None
    problem: str | None = None
    failed: bool = False
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    truth: Mapping[str, Image] = field(default_factory=dict)
    side: live.Side | None = None

    @property
    def status(self) -> Status:
        """ok, flagged (separated, but look at it), refused or failed."""
        if self.layers is None:
            return Status.FAILED if self.failed else Status.REFUSED
        masks = self.layers.masks
        return Status.FLAGGED if masks.flags or masks.refused or self.problem else Status.OK

    @property
    def reason(self) -> str | None:
        """One line: why the joint is not simply ok, or None when it is."""
        if self.layers is None:
            return wording.one_line(self.problem or "no reason was recorded")
        masks = self.layers.masks
        reasons = [reason for reason in (self.problem, masks.refused, *masks.flags) if reason]
        return wording.one_line(" · ".join(reasons)) if reasons else None


def separation_page(
    cases: Sequence[SeparationCase], run: RunRecord, title: str = "Joint separation"
) -> str:
    """The whole HTML document of a separation run.

    Args:
        cases: the joints, in the order to show them; refused and failed ones included.
        run: what made them. Values in its command are left out, for they may name a person.
        title: heading of the page.

    Returns:
        One HTML document. Images larger than 768 pixels on a side are reduced for the page;
        every number is computed before that.

    Example:
        >>> from lamella.records import RunRecord
        >>> run = RunRecord(
        ...     command="lamella separate", versions={}, weights_sha256={}, inputs_sha256={}
        ... )
        >>> case = SeparationCase(name="joint 1", layers=None, problem="not a joint")
        >>> "not a joint" in separation_page([case], run)
        True
    """
    return document.rendered(
        "separation.html.j2",
        title=title,
        cases=[_case_context(index, case) for index, case in enumerate(cases)],
        tally=_tally(cases),
        run=document.run_context(run, {case.name for case in cases}),
        colours=_colours(),
        style=document.joined(("report.css", *live.STYLES)),
        script=document.joined(("shared.js", *live.SCRIPTS, "report.js")),
    )


def _case_context(index: int, case: SeparationCase) -> dict[str, Any]:
    context: dict[str, Any] = {
        "index": index,
        "name": case.name,
        "status": case.status.value,
        "reason": case.reason,
        "problem": wording.one_line(case.problem) if case.problem else None,
        "notes": case.notes,
        "timings": [(step, f"{value:.0f} ms") for step, value in case.timings_ms.items()],
        "view": None,
        "live": None,
        "thumbnail": None,
    }
    if case.layers is not None:
        context["view"] = joint.view(case.layers, case.truth)
        context["live"] = _live(index, case.layers, case)
        context["thumbnail"] = images.thumbnail(case.layers.radiograph.pixels)
    return context


def _live(index: int, layers: Layers, case: SeparationCase) -> dict[str, Any]:
    """The joint as it can be moved, for the first of a page: each takes a tenth of a second."""
    if index < LIVE_JOINTS:
        return live.of_layers(layers, case.name, case.side)
    return {"problem": BEYOND_LIVE, "payload": None}


def _tally(cases: Sequence[SeparationCase]) -> list[tuple[str, int]]:
    """Each status that occurs, with the number of its joints."""
    counts = [(status.value, sum(case.status is status for case in cases)) for status in Status]
    return [(status, number) for status, number in counts if number]


def _colours() -> dict[str, Any]:
    signed, amount = images.diverging_map(), images.sequential_map()
    return {
        "signed": images.css_gradient(signed),
        "amount": images.css_gradient(amount),
        "tables": {"signed": images.flat_hex(signed), "amount": images.flat_hex(amount)},
    }
