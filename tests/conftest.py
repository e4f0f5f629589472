"""Fixtures for every test: where the data at hand lies."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def lamella_data() -> Path:
    """The folder LAMELLA_DATA names; tests that need it are skipped without it."""
    root = os.environ.get("LAMELLA_DATA")
    if not root:
        pytest.skip("LAMELLA_DATA is not set")
    if not Path(root).is_dir():
        pytest.skip("LAMELLA_DATA names no folder")
    return Path(root)
