"""How fast is a spine assessed, whole process? ``lamella evaluate spine-speed``.

Two runs of ``lamella spine`` in a process of their own, files in and files out: a coarse CT of
the abdomen, and a phantom of a whole thoracic and lumbar spine in a body-sized field. Three of its
seventeen vertebrae are fractured, side by side: a neighbour that is fractured itself is drawn, too.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lamella.evaluation.results import markdown_table, save
from lamella.io.volume import write_volume
from lamella.physics.phantoms.spine import SpinePhantomSpec, spine_phantom
from lamella.physics.virtual_fracture import FractureSpec
from lamella.records import CTVolume, LamellaError, SpineLabels

NAME = "spine_speed"
ABDOMEN = "abdomen_3mm"
ABDOMEN_LABELS = "totalseg_vertebrae_pp_refined.nii.gz"
ABDOMEN_S, WHOLE_S, WHOLE_GB = 15.0, 90.0, 5.0
FIELD = (512, 512, 400)
SEED = 3_100_000_000
SOFT_HU, NOISE_HU = 40.0, 15.0
WHOLE = SpinePhantomSpec(
    levels=(*(f"T{number}" for number in range(1, 13)), *(f"L{number}" for number in range(1, 6))),
    spacing_mm=1.0,
    seed=SEED,
    fractures={
        "T12": FractureSpec(kind="wedge", loss=0.4),
        "L1": FractureSpec(kind="crush", loss=0.35),
        "L2": FractureSpec(kind="biconcave", loss=0.4),
    },
)
_RUN = (
    "import resource, sys\n"
    "from lamella.cli import main\n"
    "code = main(sys.argv[1:])\n"
    "if code not in (0, 1, None): sys.exit(code)\n"
    "print('peak_kb', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
)


@dataclass(frozen=True, kw_only=True)
class Timed:
    """One run.

    Args:
        seconds: wall clock, start of Python included.
        peak_gb: most memory the process held.
    """

    seconds: float
    peak_gb: float


def evaluate(
    data: Path,
    out: Path,
    whole: SpinePhantomSpec = WHOLE,
    field: tuple[int, int, int] = FIELD,
    options: Sequence[str] = (),
) -> str:
    """Time both runs on this machine.

    Args:
        data: folder that holds the spines.
        out: folder for ``spine_speed.json`` and ``.md``.
        whole: the phantom.
        field: least voxels of its CT.
        options: further arguments of ``lamella spine``.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small = data / ABDOMEN
        abdomen = timed(small / "ct.nii.gz", small / ABDOMEN_LABELS, folder / "abdomen", options)
        ct, labels, shape = write_whole(folder, whole, field)
        spine = timed(ct, labels, folder / "whole", options)
    size = " x ".join(map(str, shape))
    rows = [
        (f"{ABDOMEN}, whole process", abdomen.seconds, ABDOMEN_S, "s"),
        (f"{ABDOMEN}, peak memory", abdomen.peak_gb, WHOLE_GB, "GB"),
        (f"{size}, {len(whole.levels)} vertebrae, whole process", spine.seconds, WHOLE_S, "s"),
        (f"{size}, peak memory", spine.peak_gb, WHOLE_GB, "GB"),
    ]
    result = {
        what: {"value": value, "target": target, "unit": unit} for what, value, target, unit in rows
    }
    table = markdown_table(
        ["lamella spine", "measured", "target"],
        [[what, f"{v:.3g} {unit}", f"<= {target:g} {unit}"] for what, v, target, unit in rows],
    )
    return save(out, NAME, {"figures": result}, table)


def timed(ct: Path, labels: Path, out: Path, options: Sequence[str] = ()) -> Timed:
    """Run ``lamella spine`` on files.

    Raises:
        LamellaError: the run failed.
    """
    command = [sys.executable, "-c", _RUN, "spine", str(ct), "--labels", str(labels)]
    start = time.perf_counter()
    done = subprocess.run(
        [*command, "-o", str(out), *options], capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        raise LamellaError(f"a timed run failed: {done.stderr.strip()[-300:]}")
    return Timed(seconds=seconds, peak_gb=int(done.stdout.rsplit("peak_kb", 1)[1]) / 2**20)


def write_whole(
    folder: Path, spec: SpinePhantomSpec, field: tuple[int, int, int]
) -> tuple[Path, Path, tuple[int, ...]]:
    """A phantom's CT and labels in a field of soft tissue with noise of its own.

    Args:
        folder: for the two files.
        spec: of the phantom.
        field: least voxels of the field.

    Returns:
        CT, labels, and the shape of both.
    """
    phantom = spine_phantom(spec)
    shape = [max(least, size) for least, size in zip(field, phantom.ct.shape, strict=True)]
    start = [(large - small) // 2 for large, small in zip(shape, phantom.ct.shape, strict=True)]
    box = tuple(slice(s, s + size) for s, size in zip(start, phantom.ct.shape, strict=True))
    rng = np.random.default_rng(spec.seed)
    hu = (SOFT_HU + NOISE_HU * rng.standard_normal(shape, np.float32)).astype(np.int16)
    ids = np.zeros(shape, np.uint8)
    hu[box], ids[box] = np.rint(phantom.ct.hu), phantom.labels.ids
    affine = phantom.ct.affine.copy()
    affine[:3, 3] -= affine[:3, :3] @ np.array(start)
    ct, labels = folder / "ct.nii.gz", folder / "labels.nii.gz"
    write_volume(CTVolume(hu=hu, affine=affine, source="phantom"), ct)
    write_volume(SpineLabels(ids=ids, affine=affine, source="phantom"), labels)
    return ct, labels, hu.shape
