"""Tables and files of an evaluation: JSON for machines, Markdown for people."""

import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lamella import __version__
from lamella.io.write import write_json
from lamella.zoo.models import weights_sha256


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; floats get two decimals."""
    lines = [
        list(columns),
        ["---"] * len(columns),
        *[[_cell(cell) for cell in row] for row in rows],
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def save(out: Path, name: str, result: Mapping[str, Any], table: str) -> str:
    """Write ``name.json`` and ``name.md`` and return the table.

    The JSON also holds what it was made with: version, processor, weights.
    """
    out.mkdir(parents=True, exist_ok=True)
    made_with = {
        "lamella": __version__,
        "machine": platform.machine(),
        "python": platform.python_version(),
        "weights_sha256": weights_sha256(),
    }
    write_json(out / f"{name}.json", {**result, "made_with": made_with})
    (out / f"{name}.md").write_text(table, encoding="utf-8")
    return table


def load(path: Path) -> dict[str, Any]:
    """Read a result back."""
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _cell(cell: object) -> str:
    return f"{cell:.2f}" if isinstance(cell, float) else str(cell)
