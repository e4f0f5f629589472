"""One self-contained offline HTML page per run: pictures, numbers and where they come from."""

from lamella.report.separation import SeparationCase, separation_page

__all__ = ["SeparationCase", "separation_page"]
