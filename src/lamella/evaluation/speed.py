"""Speed and size: ``lamella evaluate speed``. Phantoms only; needs no data."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np

from lamella.evaluation.narrowing_pace import milliseconds_per_pair
from lamella.evaluation.results import markdown_table, save
from lamella.io.write import write_png16
from lamella.physics.phantoms import random_joint_phantom
from lamella.records import LamellaError, Radiograph
from lamella.zoo.models import names
from lamella.zoo.separators import SHARES
from lamella.zoo.verbs import BONES, segment, separate

REPEATS = 5
LOADED_JOINTS = 40
BATCH_JOINTS = 200
DISTINCT_JOINTS = 40


def evaluate(data: Path | None, out: Path) -> str:
    """Measure, on this machine, what the README promises.

    Args:
        data: ignored: phantoms serve.
        out: folder for ``speed.json`` and ``speed.md``.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        joints = _write_joints(folder / "joints")
        rows = [
            ("import lamella", _import_seconds(), "s", 0.3),
            ("lamella separate, one image, whole process", _one_image(folder, joints[0]), "s", 2.5),
            ("segment + separate once loaded", _loaded_ms(), "ms", 80.0),
            *_batch(folder),
            (
                "narrowing, a pair of visits in a batch",
                milliseconds_per_pair(folder / "visits"),
                "ms",
                200.0,
            ),
            ("weights that segment and separate", _weights_mb((BONES, SHARES)), "MB", 10.0),
            ("all weights", _weights_mb(names()), "MB", 40.0),
        ]
    result = {
        what: {"value": value, "unit": unit, "target": target} for what, value, unit, target in rows
    }
    table = markdown_table(
        ["speed and size", "measured", "target"],
        [
            [what, f"{value:.3g} {unit}", f"<= {target:g} {unit}"]
            for what, value, unit, target in rows
        ],
    )
    return save(out, "speed", {"figures": result}, table)


def fastest(action: Callable[[], object], repeats: int = REPEATS) -> float:
    """Shortest of several wall-clock times of an action, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def _run(arguments: Sequence[str]) -> str:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LamellaError(f"a timed command failed: {done.stderr.strip()[-300:]}")
    return done.stdout


def _import_seconds() -> float:
    bare = fastest(lambda: _run(["-c", "pass"]))
    return fastest(lambda: _run(["-c", "import lamella"])) - bare


def _one_image(folder: Path, joint: Path) -> float:
    out = str(folder / "one")
    command = ["-m", "lamella", "separate", str(joint), "-o", out, "--force"]
    return fastest(lambda: _run(command))


def _loaded_ms() -> float:
    joints = [
        Radiograph(pixels=random_joint_phantom(np.random.default_rng(k)).intensity)
        for k in range(LOADED_JOINTS)
    ]
    accepted = [joint for joint in joints if segment(joint).refused is None]
    times = [fastest(lambda joint=joint: separate(joint), 2) for joint in accepted]  # type: ignore[misc]
    return 1e3 * float(np.median(times))


def _batch(folder: Path) -> list[tuple[str, float, str, float]]:
    code = (
        "import resource, sys; from lamella.cli import main\n"
        "code = main(sys.argv[1:])\n"
        "assert code in (0, 1), code\n"
        "print('peak_kb', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    arguments = ["-c", code, "separate", str(folder / "joints"), "-o", str(folder / "many")]
    start = time.perf_counter()
    printed = _run(arguments)
    seconds = time.perf_counter() - start
    peak_mb = int(printed.rsplit("peak_kb", 1)[1]) / 1024
    return [
        (f"{BATCH_JOINTS} joints in one run", seconds, "s", 30.0),
        ("peak memory of that run", peak_mb, "MB", 600.0),
    ]


def _weights_mb(networks: Sequence[str]) -> float:
    folder = files("lamella.zoo")
    return sum(len((folder / f"{name}.onnx").read_bytes()) for name in networks) / 1e6


def _write_joints(folder: Path) -> list[Path]:
    folder.mkdir()
    paths: list[Path] = []
    for number in range(BATCH_JOINTS):
        rng = np.random.default_rng(number % DISTINCT_JOINTS)
        path = folder / f"joint-{number:03d}.png"
        if number < DISTINCT_JOINTS:
            write_png16(path, random_joint_phantom(rng).intensity)
        else:
            path.write_bytes(paths[number % DISTINCT_JOINTS].read_bytes())
        paths.append(path)
    return paths
