"""The demo's second page: a phantom joint at four visits, and a stranger's joint between them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lamella.cli.outputs import write_text
from lamella.physics.phantoms import JointPhantomSpec, joint_phantom
from lamella.report.narrowing import Interval, joint_view, narrowing_page
from lamella.zoo.narrowing import narrowing, prepare_visit

if TYPE_CHECKING:
    from lamella.records import JointVisit, RunRecord

PAGE = "narrowing.html"
NAME = "phantom-visits"
WIDTH_MM = 1.1
LATER = (
    {"narrower_mm": 0.05, "lateral_shift_mm": 0.1, "tilt_deg": 1.0},
    {"narrower_mm": 0.35, "lateral_shift_mm": 0.2, "tilt_deg": -2.0},
    {"narrower_mm": 0.80, "lateral_shift_mm": -0.1, "tilt_deg": 2.0},
)
"""True narrowing of each follow-up, and how differently the finger lay."""


def write_visits(folder: Path, record: RunRecord, seed: int, **usual: Any) -> list[str]:
    """Compare a phantom's visits and write the page.

    Args:
        folder: of the demo; ``narrowing.html`` is written there.
        record: of the run.
        seed: of the joint.
        usual: what the phantom differs in from the usual one.

    Returns:
        one sentence per follow-up: what is true and what was measured.
    """
    first = JointPhantomSpec(seed=seed, jsw_mm=WIDTH_MM, air=True, **usual)
    stranger = replace(first, seed=seed + 101)
    specs = [_later(first, number, **each) for number, each in enumerate(LATER, 1)]
    specs.insert(1, stranger)
    baseline = _visit(first)
    intervals, said = [], []
    for number, spec in enumerate(specs, 2):
        found = narrowing(baseline, _visit(spec))
        intervals.append(Interval(visit=number, narrowing=found))
        true_mm = WIDTH_MM - spec.jsw_mm
        truth = "another joint" if spec is stranger else f"true {true_mm:.2f} mm"
        answer = "no answer" if found.jsn_mm is None else f"measured {found.jsn_mm:.3f} mm"
        said.append(f"visit {number} of {NAME}: {truth}, {answer}")
    page = narrowing_page([joint_view(NAME, intervals)], record, "A phantom joint at five visits")
    write_text(folder / PAGE, page)
    return said


def _later(first: JointPhantomSpec, number: int, narrower_mm: float, **pose: Any) -> Any:
    return replace(first, jsw_mm=first.jsw_mm - narrower_mm, noise_seed=number, **pose)


def _visit(spec: JointPhantomSpec) -> JointVisit:
    from lamella.cli.demo import phantom_radiograph

    return prepare_visit(phantom_radiograph(joint_phantom(spec), NAME))
