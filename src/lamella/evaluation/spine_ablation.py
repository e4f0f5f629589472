"""What does each part of the generator bring? ``lamella evaluate spine-ablation``.

Variants trained alike but for one part draw the targets of phantom spines that none of them has
seen, each with the heights it draws the vertebra with: no reference mends them. Differences are
to the complete one, vertebra by vertebra.
"""

from collections.abc import Sequence
from pathlib import Path

from lamella.evaluation.narrowing_scores import plain
from lamella.evaluation.results import save
from lamella.evaluation.spine_cohort import CohortSpine, spine_cohort
from lamella.evaluation.spine_drawers import AS_IT_IS, STRETCHED, Drawer, plain_drawers
from lamella.evaluation.spine_drawn_scores import (
    drawn_difference,
    drawn_difference_table,
    drawn_scores,
    drawn_table,
)
from lamella.evaluation.spine_networks import trained_drawers
from lamella.evaluation.spine_one import SpineWork, calibrated_references
from lamella.evaluation.spine_runs import Kept, joined, results
from lamella.evaluation.spine_scores import loss_score, loss_table
from lamella.io.write import sha256_of
from lamella.records import LamellaError

NAME = "spine_ablation"
COMPLETE = "exact"
SPINES = 14
SPACINGS = (1.0,)
PROCESSES = 2


def evaluate(
    data: Path | None,
    out: Path,
    networks: Path | None = None,
    spines: Sequence[CohortSpine] | None = None,
    processes: int = PROCESSES,
) -> str:
    """Draw the same vertebrae by every variant.

    Args:
        data: not used: phantoms need none.
        out: folder for ``spine_ablation.json`` and ``.md``.
        networks: folder of runs of ``lamella train healthivert --variant ...``.
        spines: which; fourteen at 1 mm when None.
        processes: that work side by side.

    Raises:
        LamellaError: no networks given, or none in the folder.
    """
    if networks is None:
        raise LamellaError("expected --networks, a folder of trained variants, got none")
    variants = trained_drawers(networks)
    drawers: dict[str, Drawer] = variants | {
        name: drawer for name, drawer in plain_drawers().items() if name in (STRETCHED, AS_IT_IS)
    }
    kept = Kept(folder=out / f"{NAME}_kept", asked=digest(networks), processes=processes)
    chosen = spine_cohort(SPINES, SPACINGS) if spines is None else spines
    work = SpineWork(references=calibrated_references(), drawers=drawers)
    losses, drawn = joined(results(chosen, work, kept))
    drawings = drawn_scores(drawn)
    own = {name: loss_score([case for case in losses[name] if case.target]) for name in variants}
    apart = {
        name: drawn_difference(drawn[name], drawn[COMPLETE])
        for name in drawn
        if COMPLETE in drawn and name != COMPLETE
    }
    tables = [
        drawn_table("drawn by", drawings),
        drawn_difference_table(f"minus {COMPLETE}", apart),
        loss_table("heights as drawn", own),
    ]
    result = {"drawn": plain(drawings), "difference": plain(apart), "losses": plain(own)}
    return save(out, NAME, result, "\n".join(tables))


def digest(folder: Path) -> str:
    """SHA-256 of every network in a folder, by its name."""
    return repr([(path.stem, sha256_of(path)) for path in sorted(folder.rglob("*.onnx"))])
