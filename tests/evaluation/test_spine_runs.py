"""Results of spines are kept, and a stopped run goes on."""

import pytest

import cohorts
from lamella.evaluation.spine_runs import Kept, SpineResult, joined, results

SPINES = cohorts.coarse_spines(3)
STARTED = []


def noted(spine):
    STARTED.append(spine.name)
    return SpineResult(
        name=spine.name,
        losses={"one": [cohorts.case(cohorts.flat(0.1), cohorts.flat(0.0), spine=spine.name)]},
        seconds={"all": 1.0},
    )


def stopping(spine):
    if spine.name == SPINES[1].name:
        raise KeyboardInterrupt
    return noted(spine)


@pytest.fixture
def started():
    STARTED.clear()
    return STARTED


def test_a_stopped_run_goes_on_where_it_was(tmp_path, started):
    kept = Kept(folder=tmp_path / "kept", asked="one")
    with pytest.raises(KeyboardInterrupt):
        results(SPINES, stopping, kept)
    assert started == ["spine-000"]
    found = results(SPINES, noted, kept)
    assert started == ["spine-000", "spine-001", "spine-002"]
    assert [each.name for each in found] == ["spine-000", "spine-001", "spine-002"]
    assert results(SPINES, noted, kept) == found
    assert len(started) == 3
    assert (tmp_path / "kept" / ".gitignore").read_text() == "*\n"
    assert not list(kept.folder.glob("*.part"))


def test_other_questions_and_other_spines_are_measured_anew(tmp_path, started):
    for asked in ("one", "two"):
        results(SPINES[:1], noted, Kept(folder=tmp_path, asked=asked))
    assert len(started) == 2
    results(cohorts.coarse_spines(1, 4), noted, Kept(folder=tmp_path, asked="one"))
    assert len(started) == 3


def test_everything_said_survives_its_file(tmp_path):
    def work(_):
        return cohorts.result()

    found = results(SPINES[:1], work, Kept(folder=tmp_path, asked="all"))[0]
    assert found.losses.keys() == cohorts.result().losses.keys()
    assert repr(found.drawn) == repr(cohorts.result().drawn)
    assert found.losses["oracle"][0].rhlv == cohorts.result().losses["oracle"][0].rhlv


def test_spines_are_joined_by_method():
    losses, drawn = joined([noted(spine) for spine in SPINES])
    assert [case.spine for case in losses["one"]] == [spine.name for spine in SPINES]
    assert drawn == {}
