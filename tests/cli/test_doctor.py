"""``lamella doctor``: tries everything, and says what to do about what fails."""

import pytest

from lamella.cli import doctor
from lamella.zoo import models


def test_a_sound_installation_passes(lamella, tmp_path):
    ran = lamella("doctor", "-o", tmp_path / "new")
    assert ran.code == 0, ran.out
    assert ran.out.count("ok      ") == len(doctor.checks(tmp_path))
    assert ran.out.endswith("everything works\n")
    assert list(tmp_path.iterdir()) == []


def test_what_fails_is_named_with_a_remedy(lamella, tmp_path, monkeypatch):
    def damaged(name):
        raise ValueError("the weights are damaged")

    monkeypatch.setattr(models, "session", damaged)
    monkeypatch.setattr(doctor, "phantom_separation", lambda: "skipped")
    ran = lamella("doctor", "-o", tmp_path)
    assert ran.code == 1
    assert "failed  networks: the weights are damaged; install Lamella again" in ran.out
    assert "ok      DICOM codecs" in ran.out
    assert ran.out.endswith("1 of 7 checks failed\n")


def test_too_little_memory_is_a_failure(monkeypatch):
    monkeypatch.setattr(doctor, "_available_bytes", lambda: 10**6)
    with pytest.raises(RuntimeError, match="1 MB free"):
        doctor.free_memory()
    monkeypatch.setattr(doctor, "_available_bytes", lambda: None)
    assert "not stated" in doctor.free_memory()


def test_an_old_interpreter_is_a_failure(monkeypatch):
    monkeypatch.setattr(doctor, "LEAST_PYTHON", (99, 0))
    with pytest.raises(RuntimeError, match="this is Python 3"):
        doctor.python_version()
