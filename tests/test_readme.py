"""The README says what was measured, and its example runs."""

import re
from pathlib import Path

import numpy as np
import pytest
import readme_tables

from lamella.io.write import write_png16
from lamella.physics.phantoms import JointPhantomSpec, joint_phantom

README = readme_tables.README.read_text(encoding="utf-8")


def test_tables_are_the_committed_results() -> None:
    assert len(readme_tables.MARKED.findall(README)) >= 4
    assert readme_tables.filled(README) == README


def test_a_changed_result_would_be_noticed(tmp_path: Path) -> None:
    for name in re.findall(r"<!-- table: (\w+) -->", README):
        (tmp_path / f"{name}.md").write_text("| other |\n", encoding="utf-8")
    assert readme_tables.filled(README, tmp_path) != README


def test_python_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_png16("joint.png", joint_phantom(JointPhantomSpec(jsw_mm=-0.5)).intensity)
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert code is not None
    names: dict[str, object] = {}
    exec(compile(code[1], "README.md", "exec"), names)
    assert np.asarray(names["upper"]).shape == (256, 256)


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", README):
        assert (readme_tables.ROOT / target).exists(), target


def test_commands_exist() -> None:
    makefile = (readme_tables.ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert f"\n{target}:" in makefile
