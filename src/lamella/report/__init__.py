"""One self-contained offline HTML page per run: pictures, numbers and where they come from.

The page of visits compared is in :mod:`lamella.report.narrowing`.
"""

from lamella.report.separation import SeparationCase, separation_page
from lamella.report.synthesis import Sample, SynthesisCase, synthesis_page

__all__ = [
    "Sample",
    "SeparationCase",
    "SynthesisCase",
    "separation_page",
    "synthesis_page",
]
