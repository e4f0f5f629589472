"""The page of a spine: what is broken, how sure, and the spine as it was before.

One spine, one page: the answers first, the spine as a strip beside a table of its vertebrae, then
each vertebra with its pictures before and after, its heights and its map of height loss.
"""

from __future__ import annotations

from typing import Any

from lamella.records import RunRecord, SpineAssessment, Vertebra
from lamella.report import document, images
from lamella.report.spine_case import SpineCase
from lamella.report.spine_figures import bars, loss_colours, lost, probabilities, scale_marks
from lamella.report.spine_pictures import payload
from lamella.report.spine_strip import strip
from lamella.report.spine_words import (
    answer,
    cells,
    facts,
    flags,
    notes,
    status,
    summary,
    warnings,
)

STYLES = ("report.css", "narrowing.css", "spine.css")
SCRIPTS = ("shared.js", "spine_pixels.js", "spine.js")
SHOWN_ANSWERS = 6


def spine_page(case: SpineCase, run: RunRecord, title: str = "Vertebral height loss") -> str:
    """The whole HTML document of an assessed spine.

    Args:
        case: the assessment with its pictures.
        run: what made it. Values in its command are left out, for they may name a person.
        title: heading of the page.

    Returns:
        One HTML document that fetches nothing.
    """
    assessment = case.assessment
    answers = summary(assessment)
    shown = [
        _shown(each, case) | {"open": each.level in case.looked_at} for each in case.reading_order
    ]
    return document.rendered(
        "spine.html.j2",
        title=title,
        name=case.name,
        cases=[case.name],
        answers=answers[:SHOWN_ANSWERS],
        more=len(answers) - SHOWN_ANSWERS,
        notes=notes(assessment),
        warnings=warnings(assessment),
        facts=_facts(assessment),
        strip=strip(assessment),
        table=[cells(each) for each in assessment.vertebrae],
        vertebrae=shown,
        has_ct=assessment.ct is not None,
        has_after=case.pictures.hu_after is not None,
        ramp=images.css_gradient(loss_colours()),
        scale=scale_marks(),
        data=payload(case),
        losses=_losses(shown),
        run=document.run_context(run, set(run.inputs_sha256)),
        style=document.joined(STYLES),
        script=document.joined(SCRIPTS),
    )


def _shown(vertebra: Vertebra, case: SpineCase) -> dict[str, Any]:
    """A vertebra's section of the page."""
    return {
        "level": vertebra.level,
        "status": status(vertebra),
        "grade": vertebra.grade,
        "answer": answer(vertebra),
        "made": vertebra.generated and case.pictures.hu_after is not None,
        "bars": bars(vertebra),
        "probabilities": probabilities(vertebra),
        "lost": lost(vertebra),
        "facts": facts(vertebra),
        "flags": flags(vertebra),
    }


def _losses(shown: list[dict[str, Any]]) -> dict[str, Any]:
    """What the page reads under the cursor, by level."""
    maps = {each["level"]: each["lost"] for each in shown if each["lost"]}
    return {level: {key: m[key] for key in ("box", "step", "codes")} for level, m in maps.items()}


def _facts(assessment: SpineAssessment) -> list[tuple[str, str]]:
    labels, ct = assessment.labels, assessment.ct
    grid = assessment.labels if ct is None else ct
    spacing = " × ".join(f"{edge:.2f}" for edge in grid.spacing_mm)
    return [
        ("Method", assessment.method),
        ("CT", "none" if ct is None else f"{spacing} mm voxels"),
        ("Labels", labels.scheme if ct is not None else f"{labels.scheme}, {spacing} mm voxels"),
    ]
