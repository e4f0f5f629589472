"""A run of the spine verb: digests, steps, what is written in which order."""

import hashlib

import pytest

from assessed_spines import phantoms
from lamella.cli import spine_run
from lamella.cli.spine import SpineOptions
from lamella.io.volume import write_volume


def test_the_digest_of_a_folder_is_that_of_its_files(tmp_path):
    folder = tmp_path / "series"
    (folder / "inner").mkdir(parents=True)
    (folder / "a.dcm").write_bytes(b"one")
    (folder / "inner" / "b.dcm").write_bytes(b"two")
    digests = sorted(hashlib.sha256(data).hexdigest() for data in (b"one", b"two"))
    expected = hashlib.sha256("\n".join(digests).encode()).hexdigest()
    assert spine_run.digest_of(folder) == expected
    (folder / "a.dcm").rename(folder / "c.dcm")
    assert spine_run.digest_of(folder) == expected
    assert spine_run.digest_of(folder / "c.dcm") == hashlib.sha256(b"one").hexdigest()


def test_inputs_are_named_by_their_part(tmp_path):
    files = []
    for name in ("doe_T12.nii.gz", "doe_L1.nii.gz", "doe_ct.nii.gz"):
        files.append(tmp_path / name)
        files[-1].write_bytes(name.encode())
    options = SpineOptions(labels=(files[0], files[1]), out=tmp_path / "out", bodies=files[0])
    told = spine_run.inputs_sha256(files[2], options)
    assert list(told) == ["CT", "bodies", "labels 1", "labels 2"]
    assert told["bodies"] == told["labels 1"] != told["labels 2"]


def test_steps_count_their_seconds_and_are_told():
    told = []
    doing = spine_run.Steps(tell=told.append)
    with doing.on("reading"):
        pass
    assert told == ["reading"]
    assert 0.0 <= doing.seconds["reading"] < 1.0


def test_steps_are_silent_away_from_a_terminal(capsys):
    with spine_run.steps() as doing:
        doing.tell("anything")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_when_the_page_fails_nothing_is_written(tmp_path, monkeypatch):
    phantom, _ = phantoms()
    labels = tmp_path / "seg.nii.gz"
    write_volume(phantom.labels, labels)

    def fail(*_):
        raise RuntimeError("no page")

    monkeypatch.setattr(spine_run, "spine_page", fail)
    options = SpineOptions(labels=(labels,), out=tmp_path / "out")
    with pytest.raises(RuntimeError, match="no page"):
        spine_run.assessed(None, options)
    assert not (tmp_path / "out").exists()
