"""An assessed spine in words: what is broken, how sure, why a vertebra has no answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lamella.records import ZONES, LamellaError, SpineAssessment, Vertebra
from lamella.report import wording
from lamella.zoo.spine import NO_CT as NO_IMAGE

MINUS = "\u2212"
UNSURE = 0.2
"""Probability of the other answer from which a grade is called unsure."""
NO_CT = (
    "Labels alone were given: no pseudo-healthy image was made. Heights, references and grades "
    "need no CT; outlines are drawn from the labels."
)
NOT_GENERATED = "No vertebra was made pseudo-healthy in this run: pictures show the CT as it is."
DASH = "–"


@dataclass(frozen=True, kw_only=True)
class Headline:
    """One answer in large letters, the sentence below it, and what kind of answer it is."""

    text: str
    detail: str
    kind: str
    level: str | None = None


def percent(fraction: float) -> str:
    """A fraction in whole per cent with a true minus sign: 31 %."""
    return f"{whole(100.0 * fraction)}{wording.NARROW_SPACE}%"


def whole(number: float) -> str:
    """A number without decimals, with a true minus sign and never a negative zero."""
    return f"{round(number) + 0:d}".replace("-", MINUS)


def chance(probability: float) -> str:
    """A probability in whole per cent; never 0 or 100, which nobody can know."""
    space = wording.NARROW_SPACE
    if probability > 0.995:
        return f">{space}99{space}%"
    if probability < 0.005:
        return f"<{space}1{space}%"
    return percent(probability)


def millimetres(length_mm: float) -> str:
    """A height with one decimal."""
    return f"{length_mm:.1f}"


def loss(vertebra: Vertebra, zone: str) -> str:
    """RHLV of a third with its standard deviation: 31 ± 4 %."""
    if vertebra.loss is None:
        return DASH
    value, spread = vertebra.loss.rhlv.of(zone), vertebra.loss.rhlv_sd.of(zone)
    return f"{whole(100.0 * value)} ± {whole(100.0 * spread)}{wording.NARROW_SPACE}%"


def worst_zone(vertebra: Vertebra) -> str:
    """The third that lost most.

    Raises:
        LamellaError: the vertebra has no loss.
    """
    rhlv = vertebra.rhlv
    if rhlv is None:
        raise LamellaError(f"{vertebra.level} has no height loss: it was refused")
    return max(ZONES, key=rhlv.of)


def chance_of_fracture(vertebra: Vertebra) -> float:
    """Probability of grade 1 and more."""
    return 0.0 if vertebra.loss is None else 1.0 - vertebra.loss.grade_probabilities[0]


def told_chance(vertebra: Vertebra) -> str:
    """Probability of grade 1 and more as a formula: P(grade ≥ 1) = 31 %, or > 99 %."""
    words = chance(chance_of_fracture(vertebra))
    return f"P(grade ≥ 1) {words}" if words[0] in "<>" else f"P(grade ≥ 1) = {words}"


def answer(vertebra: Vertebra) -> Headline:
    """What is said of one vertebra; without an answer, why."""
    level = vertebra.level
    if vertebra.loss is None:
        why = wording.one_line(vertebra.refused or "no reason was recorded")
        return Headline(text=f"{level}: no answer", detail=why, kind="refused", level=level)
    detail = (
        f"RHLV {loss(vertebra, worst_zone(vertebra))} ({worst_zone(vertebra)}) · "
        f"{told_chance(vertebra)}"
    )
    return Headline(text=_finding(vertebra), detail=detail, kind=_kind(vertebra), level=level)


def summary(assessment: SpineAssessment) -> list[Headline]:
    """The answers a reader needs first: every fracture, or that none was found."""
    answered = [each for each in assessment.vertebrae if each.loss is not None]
    broken = [each for each in answered if each.grade]
    if broken:
        return [answer(each) for each in sorted(broken, key=lambda each: -(each.grade or 0))]
    if not answered:
        reasons = dict.fromkeys(each.refused or "" for each in assessment.vertebrae)
        why = "; ".join(filter(None, reasons)) or "no vertebra was measured"
        return [Headline(text="No answer", detail=wording.one_line(why), kind="refused")]
    return [_none_found(answered)]


def notes(assessment: SpineAssessment) -> list[str]:
    """Sentences below the answers: what was looked at, what is unsure, what was not made."""
    said = [_looked_at(assessment)]
    unsure = [
        f"{each.level} ({told_chance(each)})"
        for each in assessment.vertebrae
        if each.grade == 0 and chance_of_fracture(each) >= UNSURE
    ]
    if unsure:
        said.append(f"Below grade 1, but a fracture cannot be ruled out: {', '.join(unsure)}.")
    if assessment.ct is None:
        said.append(NO_CT)
    elif assessment.pseudo_ct is None:
        said.append(NOT_GENERATED)
    return said


def warnings(assessment: SpineAssessment) -> tuple[str, ...]:
    """What a reader should know about the inputs, each once; that a CT lacks is in the notes."""
    ct, labels = assessment.ct, assessment.labels
    said = (*assessment.warnings, *labels.warnings, *(ct.warnings if ct else ()))
    return tuple(text for text in dict.fromkeys(said) if text != NO_IMAGE)


def cells(vertebra: Vertebra) -> dict[str, Any]:
    """A vertebra's row of the table, dashes where nothing is known."""
    told = vertebra.loss
    return {
        "level": vertebra.level,
        "grade": vertebra.grade,
        "kind": (told and told.kind) or DASH,
        "heights": [_pair(vertebra, zone) for zone in ZONES],
        "losses": [loss(vertebra, zone) for zone in ZONES],
        "worst": None if told is None else worst_zone(vertebra),
        "chance": DASH if told is None else chance(chance_of_fracture(vertebra)),
        "said": _said(vertebra),
        "status": status(vertebra),
    }


def status(vertebra: Vertebra) -> str:
    """``refused``, or ``g0`` to ``g3``."""
    return "refused" if vertebra.grade is None else f"g{vertebra.grade}"


def facts(vertebra: Vertebra) -> list[tuple[str, str]]:
    """Everything else that is known of a vertebra, with its unit."""
    rows: list[tuple[str, str]] = []
    if vertebra.healthy is not None:
        rests = ", ".join(vertebra.healthy.neighbours) or "no neighbour"
        rows += [("Healthy heights from", f"{vertebra.healthy.told_by}: {rests}")]
    if vertebra.body is not None and vertebra.loss is not None:
        body = vertebra.body
        size = f"{millimetres(body.depth_mm)} mm deep, {millimetres(body.width_mm)} mm wide"
        rows += [("Body", f"{size}, {body.volume_mm3 / 1000.0:.1f} cm³")]
        rows += [("RHLV, whole body", loss(vertebra, "whole"))]
    made = "generated inside the CT" if vertebra.generated else "not generated for this level"
    return [*rows, ("Pseudo-healthy image", made)]


def flags(vertebra: Vertebra) -> list[str]:
    """What a reader should look at, each once."""
    own = () if vertebra.body is None else vertebra.body.flags
    return list(dict.fromkeys((*vertebra.flags, *own)))


def _finding(vertebra: Vertebra) -> str:
    if not vertebra.grade:
        return f"{vertebra.level}: no fracture, grade 0"
    kind = f"{vertebra.loss.kind} " if vertebra.loss and vertebra.loss.kind else ""
    return f"{vertebra.level} {kind}fracture, grade {vertebra.grade}"


def _kind(vertebra: Vertebra) -> str:
    broken = chance_of_fracture(vertebra)
    if not vertebra.grade:
        return "unsure" if broken >= UNSURE else "same"
    return "unsure" if 1.0 - broken >= UNSURE else "narrower"


def _none_found(answered: list[Vertebra]) -> Headline:
    zone = {each.level: worst_zone(each) for each in answered}
    most = max(answered, key=lambda each: each.rhlv.of(zone[each.level]) if each.rhlv else 0.0)
    worst = zone[most.level]
    detail = (
        f"Largest height loss {loss(most, worst)} ({most.level}, {worst}) · {told_chance(most)}"
    )
    return Headline(text="No fracture found", detail=detail, kind="same")


def _looked_at(assessment: SpineAssessment) -> str:
    every = assessment.vertebrae
    answered = [each for each in every if each.loss is not None]
    span = every[0].level if len(every) == 1 else f"{every[0].level} to {every[-1].level}"
    silent = [each.level for each in every if each.loss is None]
    without = f"; no answer for {', '.join(silent)}" if silent else ""
    return f"{wording.counted(len(answered), 'vertebra').replace('vertebras', 'vertebrae')} " + (
        f"graded, {span}{without}."
    )


def _pair(vertebra: Vertebra, zone: str) -> tuple[str, str]:
    """Observed and healthy height of a third."""
    known = (vertebra.heights_mm, vertebra.healthy_heights_mm)
    observed, healthy = (DASH if each is None else millimetres(each.of(zone)) for each in known)
    return observed, healthy


def _said(vertebra: Vertebra) -> str:
    if vertebra.loss is None:
        return wording.one_line(vertebra.refused or "no reason was recorded")
    return "; ".join(flags(vertebra))
