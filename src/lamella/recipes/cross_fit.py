"""Recipe: the networks of the cross-visit test, each joint left out of one of five folds."""

from pathlib import Path

from lamella.recipes import comparison


def train(data: Path, out: Path, steps: int | None = None) -> Path:
    """See :func:`lamella.recipes.comparison.cross_fit`."""
    return comparison.cross_fit(data, out, steps)
