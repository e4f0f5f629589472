"""The demo's visits: known changes are found, a stranger's joint gets no answer."""

import re

from lamella.cli.demo_visits import LATER, PAGE, write_visits
from lamella.records import RunRecord


def test_known_changes_are_found_and_a_stranger_is_not_measured(tmp_path):
    record = RunRecord(command="lamella demo", versions={}, weights_sha256={}, inputs_sha256={})
    said = write_visits(tmp_path, record, 0)
    assert len(said) == len(LATER) + 1
    stranger = said.pop(1)
    for sentence in said:
        true_mm, measured_mm = map(float, re.findall(r"(-?[\d.]+) mm", sentence))
        assert abs(true_mm - measured_mm) < 0.03
    assert stranger.endswith("another joint, no answer")
    page = (tmp_path / PAGE).read_text(encoding="utf-8")
    assert "No answer" in page
    assert "A phantom joint at five visits" in page
