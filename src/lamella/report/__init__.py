"""One self-contained offline HTML page per run: pictures, numbers and where they come from."""

from lamella.report.narrowing import Interval, joint_view, narrowing_page
from lamella.report.separation import SeparationCase, separation_page
from lamella.report.synthesis import Sample, SynthesisCase, synthesis_page

__all__ = [
    "Interval",
    "Sample",
    "SeparationCase",
    "SynthesisCase",
    "joint_view",
    "narrowing_page",
    "separation_page",
    "synthesis_page",
]
