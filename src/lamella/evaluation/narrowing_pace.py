"""How fast two visits are compared once the networks are loaded; part of ``speed``."""

import csv
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from lamella.io.write import write_png16
from lamella.physics.phantoms import joint_phantom, random_joint_phantom
from lamella.records import LamellaError

PAIRS = (12, 92)
DISTINCT = 12
NARROWER_MM = 0.3
SPACING_MM = 0.082


def milliseconds_per_pair(folder: Path, pairs: tuple[int, int] = PAIRS) -> float:
    """Milliseconds for one more pair in ``lamella narrowing --table``, on all cores.

    The difference of two runs of different length: what starting and loading cost drops out.

    Args:
        folder: for the images and the results; made.
        pairs: of the short and of the long run.

    Raises:
        LamellaError: a run failed.
    """
    folder.mkdir()
    _write_visits(folder)
    short, long = (_seconds(folder, count) for count in pairs)
    return 1e3 * (long - short) / (pairs[1] - pairs[0])


def _seconds(folder: Path, count: int) -> float:
    table = folder / f"visits-{count}.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["joint", "visit", "image"])
        for number in range(count):
            for visit in (1, 2):
                writer.writerow([f"joint-{number}", visit, f"{number % DISTINCT}-{visit}.png"])
    command = ["-m", "lamella", "narrowing", "--table", str(table), "--pixel-spacing"]
    command += [f"{SPACING_MM:g}", "-o", str(folder / f"out-{count}")]
    start = time.perf_counter()
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise LamellaError(f"a timed command failed: {done.stderr.strip()[-300:]}")
    return time.perf_counter() - start


def _write_visits(folder: Path) -> None:
    for number in range(DISTINCT):
        first = random_joint_phantom(
            np.random.default_rng(number), jsw_mm=1.0, pixel_spacing_mm=SPACING_MM
        )
        later = replace(first.spec, jsw_mm=1.0 - NARROWER_MM, noise_seed=number + 1)
        write_png16(folder / f"{number}-1.png", first.intensity)
        write_png16(folder / f"{number}-2.png", joint_phantom(later).intensity)
