"""The rim: sizes, names, silence."""

import logging
import os
import threading
import warnings

import pytest

from lamella.io import boundary
from lamella.records import LamellaError


@pytest.mark.parametrize("spacing", [0, 0.0, -0.1, float("nan"), float("inf"), "wide"])
def test_a_spacing_not_above_zero_is_refused(spacing):
    with pytest.raises(LamellaError, match="above 0 mm"):
        boundary.checked_spacing(spacing)


def test_a_spacing_above_zero_is_kept():
    assert boundary.checked_spacing(0.082) == 0.082
    assert boundary.checked_spacing(None) is None


@pytest.mark.parametrize(
    ("rows", "cols", "layers"), [(0, 5, 1), (10**5, 10**5, 1), (6000, 6000, 3)]
)
def test_hostile_dimensions_are_refused(rows, cols, layers):
    with pytest.raises(LamellaError, match="header claims"):
        boundary.refuse_dimensions(rows, cols, layers)


def test_names_are_one_line(tmp_path):
    assert boundary.printable_name(tmp_path / "a\nb\x1b.png") == "a?b?.png"


def test_errors_are_named():
    with pytest.raises(LamellaError, match=r"^a\.png: too dark$"), boundary.named("a.png"):
        raise LamellaError("too dark")


def test_a_huge_file_is_refused_by_its_size(tmp_path):
    path = tmp_path / "sparse.png"
    with path.open("wb") as file:
        file.truncate(boundary.MAX_FILE_BYTES + 1)
    with pytest.raises(LamellaError, match="bytes, more than an image"):
        boundary.refuse_unusable_file(path)
    boundary.refuse_unusable_file(path, "volume", boundary.MAX_FILE_BYTES + 1)
    with pytest.raises(LamellaError, match="bytes, more than a volume: crop it"):
        boundary.refuse_unusable_file(path, "volume")


def test_libraries_are_silent_inside_and_restored_after(caplog, capfd):
    logger = logging.getLogger("pydicom")
    before = (logger.propagate, list(logger.handlers))
    with boundary.quiet_libraries():
        warnings.warn("a name", UserWarning, stacklevel=1)
        logger.warning("a name")
    assert (logger.propagate, list(logger.handlers)) == before
    assert caplog.records == []
    assert capfd.readouterr().err == ""


def test_native_output_is_discarded_and_restored(capfd):
    with boundary.quiet_native_code():
        os.write(2, b"codec noise\n")
    os.write(2, b"kept\n")
    assert capfd.readouterr().err == "kept\n"


@pytest.mark.parametrize("silence", [boundary.quiet_native_code, boundary.quiet_libraries])
def test_threads_take_turns_in_silence(silence):
    """The second to enter would restore the silence of the first."""
    inside, leave, second = threading.Event(), threading.Event(), threading.Event()

    def enter(entered: threading.Event, until: threading.Event | None) -> None:
        with silence():
            entered.set()
            if until is not None:
                until.wait(10)

    logger, before = logging.getLogger("PIL"), os.fstat(2)
    propagate = logger.propagate
    threads = [
        threading.Thread(target=enter, args=(inside, leave)),
        threading.Thread(target=enter, args=(second, None)),
    ]
    threads[0].start()
    assert inside.wait(10)
    threads[1].start()
    assert not second.wait(0.1)
    leave.set()
    for thread in threads:
        thread.join(10)
    assert second.is_set()
    assert os.path.samestat(os.fstat(2), before)
    assert logger.propagate is propagate
