"""The page of a narrowing run: visits under a wipe and a flicker, the change, how sure it is.

A joint becomes a view once (:func:`joint_view`), plain numbers and text that can be kept as JSON;
the page is made of views, so a run of any length keeps no image in memory. The first joints of a
page have their pictures, all of them their answers.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lamella.records import Narrowing, RunRecord
from lamella.report import document, images, wording
from lamella.report.narrowing_figures import Point, chart, contours
from lamella.report.narrowing_pictures import page_size, payload, residuals
from lamella.report.narrowing_words import Detectable, cells, headline, measures, visit_name

PICTURED_JOINTS = 12
"""Joints of a page that can be wiped and flickered; the others have their answers and drawings."""

STATUSES = ("ok", "flagged", "refused", "failed")
STYLES = ("report.css", "narrowing.css")
SCRIPTS = ("shared.js", "narrowing_review.js", "narrowing.js", "synthesis.js")

View = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Interval:
    """One follow-up of a joint against its baseline.

    Args:
        visit: number of the follow-up; the baseline is visit 1.
        narrowing: the comparison, or None when it could not be made.
        days: since the baseline, or None when unknown.
        problem: why it could not be made, one line without identifiers.
        failed: True when something broke (an unreadable file), not merely refused.
    """

    visit: int
    narrowing: Narrowing | None = None
    days: int | None = None
    problem: str | None = None
    failed: bool = False

    @property
    def status(self) -> str:
        """ok, flagged (answered, but look at it), refused or failed."""
        if self.narrowing is None:
            return "failed" if self.failed else "refused"
        if self.narrowing.jsn_mm is None:
            return "refused"
        return "flagged" if self.narrowing.flags else "ok"


def joint_view(name: str, intervals: Sequence[Interval], pictured: bool = True) -> dict[str, Any]:
    """A joint as the page shows it: text, numbers and data URIs, ready for JSON.

    Args:
        name: safe to show (never a patient's).
        intervals: the follow-ups in order.
        pictured: with the pictures of the visits and the residuals.
    """
    found = [interval.narrowing for interval in intervals]
    detectable = Detectable.of([each for each in found if each is not None])
    shown = [_interval_view(interval, detectable, pictured) for interval in intervals]
    points = [_point(interval) for interval in intervals]
    return {
        "name": name,
        "status": max((each["status"] for each in shown), key=STATUSES.index, default="failed"),
        "reason": _reason(shown),
        "intervals": shown,
        "chart": chart(points, detectable)
        if any(point.jsn_mm is not None for point in points)
        else None,
        "detectable": detectable.words,
        "facts": _facts(found),
        "warnings": _warnings(found),
        "pixels": payload(found) if pictured else None,
        "thumbnail": _thumbnail(found),
        "aspect": _aspect(found),
    }


def narrowing_page(
    views: Sequence[View], run: RunRecord, title: str = "Joint space narrowing"
) -> str:
    """The whole HTML document of a narrowing run.

    Args:
        views: of the joints (:func:`joint_view`), in the order to show them.
        run: what made them. Values in its command are left out, for they may name a person.
        title: heading of the page.

    Returns:
        One HTML document that fetches nothing; accepting, rejecting and comments stay in the
        reader's browser until they are exported as CSV.

    Example:
        >>> from lamella.records import RunRecord
        >>> run = RunRecord(
        ...     command="lamella narrowing", versions={}, weights_sha256={}, inputs_sha256={}
        ... )
        >>> view = joint_view("joint 1", [Interval(visit=2, problem="another joint")])
        >>> "another joint" in narrowing_page([view], run)
        True
    """
    return document.rendered(
        "narrowing.html.j2",
        title=title,
        cases=[{"index": index, **view} for index, view in enumerate(views)],
        tally=_tally(views),
        run=document.run_context(run, set(run.inputs_sha256)),
        ramp=images.css_gradient(images.diverging_map()),
        run_key=run_key(views, run),
        most=PICTURED_JOINTS,
        style=document.joined(STYLES),
        script=document.joined(SCRIPTS),
    )


def run_key(views: Sequence[View], run: RunRecord) -> str:
    """Digits under which a browser keeps what was decided: the same inputs, the same digits."""
    parts = [*sorted(run.inputs_sha256.values()), *(str(view["name"]) for view in views)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _interval_view(interval: Interval, detectable: Detectable, pictured: bool) -> dict[str, Any]:
    found = interval.narrowing
    return {
        "visit": interval.visit,
        "name": visit_name(interval.visit, interval.days),
        "status": interval.status,
        "headline": headline(found, interval.problem, detectable).record(),
        "measures": [] if found is None else measures(found),
        "flags": [] if found is None else list(found.flags),
        "contours": None if found is None else contours(found),
        "residuals": residuals(found) if found is not None and pictured else None,
        **cells(found),
    }


def _reason(shown: Sequence[View]) -> str | None:
    """The latest answer and the visits without one, for the list of joints."""
    if not shown:
        return "no follow-up"
    silent = [each for each in shown if each["headline"]["kind"] == "refused"]
    if len(silent) == len(shown):
        return str(silent[-1]["headline"]["detail"])
    latest = next(each for each in reversed(shown) if each not in silent)
    said = [f"{latest['headline']['text']} (visit {latest['visit']})"]
    return "; ".join(said + [f"visit {each['visit']}: no answer" for each in silent])


def _point(interval: Interval) -> Point:
    found = interval.narrowing
    return Point(
        visit=interval.visit,
        days=interval.days,
        jsn_mm=None if found is None else found.jsn_mm,
        interval_mm=None if found is None else found.interval_mm,
    )


def _facts(found: Sequence[Narrowing | None]) -> list[tuple[str, str]]:
    first = next((each for each in found if each is not None), None)
    if first is None:
        return []
    layers, radiograph = first.baseline.layers, first.baseline.radiograph
    sides = {"R": "right", "L": "left", None: "unknown"}
    return [
        ("Method", first.method),
        ("Separated by", "nothing: compared as taken" if layers is None else layers.method),
        ("Pixel spacing", wording.spacing(radiograph)),
        ("Side", sides[radiograph.laterality]),
        ("Bone outlines", first.baseline.masks.origin),
    ]


def _warnings(found: Sequence[Narrowing | None]) -> list[str]:
    """What a reader should know about the images, each once."""
    visits = [visit for each in found if each for visit in (each.baseline, each.followup)]
    return list(dict.fromkeys(text for visit in visits for text in visit.radiograph.warnings))


def _thumbnail(found: Sequence[Narrowing | None]) -> str | None:
    first = next((each for each in found if each is not None), None)
    return None if first is None else images.thumbnail(first.baseline.radiograph.pixels)


def _aspect(found: Sequence[Narrowing | None]) -> float:
    first = next((each for each in found if each is not None), None)
    if first is None:
        return 1.0
    rows, cols = page_size(first.baseline.radiograph.shape)
    return round(cols / rows, 4)


def _tally(views: Sequence[View]) -> list[tuple[str, int]]:
    """Each status that occurs, with the number of its joints."""
    counts = Counter(view["status"] for view in views)
    return [(status, counts[status]) for status in STATUSES if counts[status]]
