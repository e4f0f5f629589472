"""Folders and archives of DICOM files: what counts, and what is refused unopened."""

import zipfile

import pytest

import volumes
from lamella.io import dicom_files as module
from lamella.io.dicom_files import dicom_files
from lamella.records import LamellaError


@pytest.fixture
def folder(tmp_path):
    made = volumes.written(volumes.series()[:3], tmp_path / "series" / "inner")
    (made / "notes.txt").write_text("nothing here")
    (made / "DICOMDIR").write_bytes(bytes(128) + b"DICM")
    return tmp_path / "series"


def packed(folder, path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return path


def test_a_folder_and_its_archive_hold_the_same_files(folder, tmp_path):
    told = []
    for path in (folder, packed(folder, tmp_path / "a.zip")):
        with dicom_files(path) as files:
            told.append([(file.name, file.contents()) for file in files])
    assert [name for name, _ in told[0]] == ["IM0000.dcm", "IM0001.dcm", "IM0002.dcm"]
    assert told[0] == told[1]


def test_without_dicom_the_folder_is_named(tmp_path):
    (tmp_path / "a.txt").write_text("x" * 200)
    with (
        pytest.raises(LamellaError, match=f"^{tmp_path.name}: expected DICOM files, got none"),
        dicom_files(tmp_path),
    ):
        pass


def test_damaged_archives_are_refused(folder, tmp_path):
    path = packed(folder, tmp_path / "a.zip")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(LamellaError, match=r"^a\.zip: .*damaged"), dicom_files(path):
        pass


def test_a_damaged_entry_is_refused(folder, tmp_path):
    path = packed(folder, tmp_path / "a.zip")
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        entry = next(item for item in archive.infolist() if item.filename.endswith("0001.dcm"))
    data[entry.header_offset + 400 : entry.header_offset + 700] = bytes(300)
    path.write_bytes(data)
    with pytest.raises(LamellaError, match="damaged"), dicom_files(path) as files:
        [file.contents() for file in files]


def test_bounds_hold_before_unpacking(folder, tmp_path, monkeypatch):
    path = packed(folder, tmp_path / "a.zip")
    monkeypatch.setattr(module, "MAX_VOLUME_BYTES", 1000)
    with pytest.raises(LamellaError, match="expands to more"), dicom_files(path):
        pass
    monkeypatch.setattr(module, "MAX_FILES", 2)
    for source in (path, folder):
        with pytest.raises(LamellaError, match="over 2 files"), dicom_files(source):
            pass


def test_an_encrypted_archive_is_refused(folder, tmp_path):
    path = packed(folder, tmp_path / "a.zip")
    data = bytearray(path.read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.find(mark)
        while place >= 0:
            data[place + at] |= 1
            place = data.find(mark, place + 4)
    path.write_bytes(data)
    with pytest.raises(LamellaError, match="encrypted"), dicom_files(path):
        pass
