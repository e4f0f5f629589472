"""Fixtures for every test: where the data at hand lies; one thread for each worker.

Workers that each ask for every core wait for one another at every small operation: training
steps took ten times as long. Libraries read the variable when they are first imported.
"""

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def lamella_data() -> Path:
    """The folder LAMELLA_DATA names; tests that need it are skipped without it."""
    root = os.environ.get("LAMELLA_DATA")
    if not root:
        pytest.skip("LAMELLA_DATA is not set")
    if not Path(root).is_dir():
        pytest.skip("LAMELLA_DATA names no folder")
    return Path(root)
