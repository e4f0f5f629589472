"""Golden loss traces: written by ``python tests/goldens.py``, compared by the recipes' tests.

A trace holds the losses of every fifth step of the tiny recipe on phantoms made from fixed seeds.
Write it anew only where a loss, a rate, a seed, a network or the phantoms were meant to change,
and say so where the change is described.
"""

import csv
import tempfile
from collections.abc import Mapping
from pathlib import Path

import joints

GOLDEN = Path(__file__).parent / "golden" / "bls_gan_tiny.csv"
LOSSES = ("generator/loss", "supervisor/loss")
EVERY_STEPS = 5


def write_data(folder: Path) -> Path:
    """``train.json`` with three joints without overlap and one with it."""
    open_joints = {f"0000{k}_R_{k}": [joints.phantom(jsw_mm=1.2, seed=k)] for k in (1, 2, 3)}
    joints.write_manifest(folder / "train.json", open_joints | {"00004_L_13": [joints.phantom()]})
    return folder


def trace(run: Path) -> dict[int, dict[str, float]]:
    """Losses of every fifth step of a run's folder."""
    found = {}
    for file in sorted(run.rglob("metrics.csv")):
        with file.open(encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                step = int(row["step"])
                if row[LOSSES[0]] and step % EVERY_STEPS == 0:
                    found[step] = {name: float(row[name]) for name in LOSSES}
    return found


def load() -> dict[int, dict[str, float]]:
    """The recorded trace."""
    with GOLDEN.open(encoding="utf-8") as lines:
        return {
            int(row["step"]): {name: float(row[name]) for name in LOSSES}
            for row in csv.DictReader(lines)
        }


def save(found: Mapping[int, Mapping[str, float]]) -> None:
    """Record a trace."""
    with GOLDEN.open("w", encoding="utf-8", newline="") as lines:
        table = csv.writer(lines, lineterminator="\n")
        table.writerow(["step", *LOSSES])
        for step, losses in found.items():
            table.writerow([step, *(f"{losses[name]:.7f}" for name in LOSSES)])


def main() -> None:
    """Train and record."""
    from lamella.recipes import bls_gan

    with tempfile.TemporaryDirectory() as folder:
        data = write_data(Path(folder))
        bls_gan.train(data, data / "run", recipe="tiny")
        save(trace(data / "run"))


if __name__ == "__main__":
    main()
