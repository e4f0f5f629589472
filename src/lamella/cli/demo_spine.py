"""``lamella demo --spine``: a phantom spine with two fractures, assessed like a patient's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lamella.cli.console import say
from lamella.cli.outputs import refuse_unwritable, writable
from lamella.cli.spine import SpineOptions, spine
from lamella.cli.spine_run import FILES
from lamella.io.volume import write_volume
from lamella.io.write import guard_output
from lamella.physics.phantoms.spine import SpinePhantom, SpinePhantomSpec, spine_phantom
from lamella.physics.virtual_fracture import FractureSpec
from lamella.records import ZONES

LEVELS = ("T11", "T12", "L1", "L2", "L3", "L4")
FRACTURES = {
    "L1": FractureSpec(kind="wedge", loss=0.35),
    "L3": FractureSpec(kind="biconcave", loss=0.28),
}
SPACING_MM = 1.0
CT_FILE = "phantom_ct.nii.gz"
LABELS_FILE = "phantom_labels.nii.gz"
DEFAULT_OUT = Path("lamella-demo-spine")


@dataclass(frozen=True, kw_only=True)
class SpineDemo:
    """A phantom spine to show.

    Args:
        out: folder for the phantom's files and the results.
        seed: draws the person.
        force: replace what is there.
    """

    out: Path = DEFAULT_OUT
    seed: int = 0
    force: bool = False

    def run(self) -> int:
        """Write the phantom, assess it and say how near to the truth that was.

        Raises:
            LamellaError: something in the way, or not writable.
        """
        refuse_unwritable(self.out)
        guard_output([self.out / name for name in (CT_FILE, LABELS_FILE, *FILES)], self.force)
        phantom = spine_phantom(self.spec)
        with writable(self.out):
            self.out.mkdir(parents=True, exist_ok=True)
        ct, labels = self.out / CT_FILE, self.out / LABELS_FILE
        write_volume(phantom.ct, ct, synthetic=True, force=self.force)
        write_volume(phantom.labels, labels, synthetic=True, force=self.force)
        for line in truth(phantom):
            say(line)
        options = SpineOptions(labels=(labels,), out=self.out, force=self.force)
        return spine(ct, options=options)

    @property
    def spec(self) -> SpinePhantomSpec:
        """What determines the phantom."""
        return SpinePhantomSpec(
            levels=LEVELS, spacing_mm=SPACING_MM, fractures=FRACTURES, seed=self.seed
        )


def truth(phantom: SpinePhantom) -> list[str]:
    """The true height loss of every fractured vertebra, a sentence each."""
    said = []
    for level, fracture in phantom.spec.fractures.items():
        seen, was = phantom.heights[level], phantom.healthy_heights[level]
        losses = [f"{zone} {100 * (1 - seen.of(zone) / was.of(zone)):.0f} %" for zone in ZONES]
        said.append(f"truth: {level} {fracture.kind}, RHLV {', '.join(losses)}")
    return said
