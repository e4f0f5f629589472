"""Are height losses told right? ``lamella evaluate spine-phantoms``: spines that are known.

Phantom spines (:mod:`lamella.evaluation.spine_cohort`) are measured from CT and labels alone:
bodies are found in the labels, healthy heights told by every reference, the targets drawn by the
networks and by ways that learn nothing. Truth is exact: heights before and after the fracture,
and the vertebra before it. No method can be perfect, for healthy vertebrae differ from their
neighbours by chance; the oracle knows everything but that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lamella.evaluation.narrowing_scores import plain
from lamella.evaluation.results import markdown_table, save
from lamella.evaluation.spine_cases import ORACLE, Cases, SpineCase
from lamella.evaluation.spine_cohort import CLASSES, FINE, SPINES, CohortSpine, spine_cohort
from lamella.evaluation.spine_drawers import STRETCHED, Drawer, standing_drawers
from lamella.evaluation.spine_drawn_scores import (
    Drawings,
    DrawnScore,
    drawn_scores,
    drawn_table,
)
from lamella.evaluation.spine_one import PUBLISHED, SpineWork, calibrated_references
from lamella.evaluation.spine_runs import Kept, joined, results
from lamella.evaluation.spine_scores import (
    LossScore,
    difference_table,
    loss_difference,
    loss_score,
    loss_table,
)
from lamella.evaluation.spine_svm import svm_cases
from lamella.physics.virtual_fracture import ZONE_PATTERN
from lamella.zoo.spine import HEALTHIVERT

NAME = "spine_phantoms"
CONDITIONAL = "conditional"
SVM = ", graded by the SVM"
PROCESSES = 2
PUBLISHED_MACRO_F1 = 0.723
"""HealthiVert-GAN on VerSe (arXiv 2503.05990), other vertebrae and another truth."""

MAE_MARGIN_PP = 0.5
F1_MARGIN = 0.03
SPECIFICITY = 0.95
DICE = 0.95


@dataclass(frozen=True, kw_only=True)
class Promise:
    """What should be reached at 1 mm or finer.

    Args:
        what: in words.
        target: in words.
        reached: in words.
        met: whether it is.
    """

    what: str
    target: str
    reached: str
    met: bool


def evaluate(
    data: Path | None,
    out: Path,
    spines: Sequence[CohortSpine] | None = None,
    drawers: Mapping[str, Drawer] | None = None,
    processes: int = PROCESSES,
) -> str:
    """Measure every spine by every method.

    Args:
        data: not used: phantoms need none.
        out: folder for ``spine_phantoms.json`` and ``.md``, and for what a stopped run has done.
        spines: which; the whole cohort when None.
        drawers: what draws the targets; the standing ones when None.
        processes: that work side by side.
    """
    chosen = spine_cohort(SPINES) if spines is None else spines
    drawing = standing_drawers() if drawers is None else drawers
    kept = Kept(folder=out / f"{NAME}_kept", asked=repr(sorted(drawing)), processes=processes)
    work = SpineWork(references=calibrated_references(), drawers=drawing)
    losses, drawn = joined(results(chosen, work, kept))
    rows = _with_machine(_targets(losses))
    scores = _scores(rows)
    drawings = {each: drawn_scores(_spaced(drawn, each)) for each in CLASSES}
    promised = promises(rows, drawings[FINE])
    result = {
        "spines": len(chosen),
        "published_macro_f1": PUBLISHED_MACRO_F1,
        "losses": plain(scores),
        "drawn": plain(drawings),
        "promises": plain({promise.what: promise for promise in promised}),
    }
    tables = [promise_table(promised), *_loss_tables(rows, scores), *_drawn_tables(drawn, drawings)]
    return save(out, NAME, result, "\n".join([*tables, _untouched_table(losses)]))


def main_of(rows: Mapping[str, object]) -> str:
    """The method that is offered by default, among these."""
    return HEALTHIVERT if HEALTHIVERT in rows else CONDITIONAL


def promises(rows: Cases, drawn: Mapping[str, DrawnScore | None]) -> list[Promise]:
    """What was promised of the default method at 1 mm or finer, and what is reached."""
    name = main_of(rows)
    cases = _of(rows[name], FINE)
    apart = loss_difference(cases, _of(rows[ORACLE], FINE))
    score = loss_score(cases)
    found = [] if score is None or apart is None else [
        _promise("RHLV MAE, pp above the oracle", apart.mae_pp.mean, MAE_MARGIN_PP, most=True),
        _promise("macro-F1 below the oracle", -apart.macro_f1.mean, F1_MARGIN, most=True),
        _promise("specificity at grade 1", score.specificity.value, SPECIFICITY),
    ]  # fmt: skip
    drawing = drawn.get(name)
    if drawing is not None:
        found.append(_promise("Dice of the drawn body", drawing.aligned.dice.mean, DICE))
    return found


def promise_table(found: Sequence[Promise]) -> str:
    """Targets and what is reached."""
    rows = [[each.what, each.target, each.reached, "yes" if each.met else "no"] for each in found]
    return markdown_table(["voxels of 1 mm or finer", "target", "reached", "met"], rows)


def _promise(what: str, reached: float, target: float, *, most: bool = False) -> Promise:
    return Promise(
        what=what,
        target=f"{'<=' if most else '>='} {target:g}",
        reached=f"{reached:.3f}",
        met=reached <= target if most else reached >= target,
    )


def _targets(losses: Cases) -> Cases:
    return {name: [case for case in cases if case.target] for name, cases in losses.items()}


def _with_machine(rows: Cases) -> Cases:
    """The rows and the published grader: on the default method's losses, and on published ones."""
    name = main_of(rows)
    graded = {name} | ({f"{name}{PUBLISHED}", f"{STRETCHED}{PUBLISHED}"} & set(rows))
    return {**rows, **{f"{each}{SVM}": svm_cases(rows[each]) for each in sorted(graded)}}


def _of(cases: Sequence[SpineCase], spacing: str) -> list[SpineCase]:
    return [case for case in cases if case.spacing == spacing]


def _scores(rows: Cases) -> dict[str, dict[str, LossScore | None]]:
    """Class of spacing -> method -> score."""
    return {
        each: {name: loss_score(_of(cases, each)) for name, cases in rows.items()}
        for each in CLASSES
    }


def _loss_tables(rows: Cases, scores: Mapping[str, Mapping[str, LossScore | None]]) -> list[str]:
    fine = {name: _of(cases, FINE) for name, cases in rows.items()}
    main = main_of(rows)
    tables = [loss_table(f"targets, {each}", found) for each, found in scores.items()]
    for title, beside in (("the oracle", ORACLE), (main, main)):
        apart = {
            name: loss_difference(cases, fine[beside])
            for name, cases in fine.items()
            if name != beside
        }
        tables.append(difference_table(f"minus {title}, {FINE}", apart))
    kinds = {
        kind: loss_score([case for case in fine[main] if (case.kind or "whole") == kind])
        for kind in ("whole", *ZONE_PATTERN)
    }
    return [*tables, loss_table(f"{main}, {FINE}, by kind", kinds)]


def _drawn_tables(
    drawn: Drawings, scores: Mapping[str, Mapping[str, DrawnScore | None]]
) -> list[str]:
    if not drawn:
        return []
    tables = [drawn_table(f"drawn, {each}", found) for each, found in scores.items()]
    fine = _spaced(drawn, FINE)
    harmed = drawn_scores(fine, lambda case: not case.known.is_whole)
    whole = drawn_scores(fine, lambda case: case.known.is_whole)
    tables.append(drawn_table(f"drawn, {FINE}, fractured ones alone", harmed))
    return [*tables, drawn_table(f"drawn, {FINE}, whole ones alone", whole)]


def _spaced(drawn: Drawings, spacing: str) -> Drawings:
    return {
        name: [case for case in cases if case.known.spacing == spacing]
        for name, cases in drawn.items()
    }


def _untouched_table(losses: Cases) -> str:
    """How often a vertebra that nobody touched is flagged, targets and others."""
    rows = {
        name: loss_score([case for case in cases if case.is_whole])
        for name, cases in losses.items()
    }
    return loss_table("every vertebra that has lost nothing, all spacings", rows)
