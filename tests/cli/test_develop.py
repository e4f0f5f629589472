"""``lamella train`` and ``lamella evaluate`` call what is there, by its name."""

import importlib
from types import SimpleNamespace

import pytest

from lamella.cli import develop


@pytest.fixture
def calls(monkeypatch):
    """Calls of a recipe or benchmark that only takes notes."""
    noted = []

    def function(**options):
        noted.append(options)
        return "| a | table |"

    real = importlib.import_module

    def import_module(name):
        if name.startswith(("lamella.recipes.", "lamella.evaluation.")):
            return SimpleNamespace(train=function, evaluate=function)
        return real(name)

    monkeypatch.setattr(develop.importlib, "import_module", import_module)
    monkeypatch.setattr(develop, "offered", lambda package, function: ["bones", "layers", "speed"])
    return noted


def test_train_calls_the_recipe(lamella, calls, tmp_path):
    ran = lamella("train", "bones", "--data", tmp_path, "--steps", "7")
    assert (ran.code, ran.err) == (0, "")
    assert calls == [{"data": tmp_path, "out": develop.Path("runs/bones"), "steps": 7}]


def test_evaluate_prints_the_table(lamella, calls, tmp_path):
    ran = lamella("evaluate", "layers", "--data", tmp_path, "-o", tmp_path / "out")
    assert (ran.code, ran.out) == (0, "| a | table |\n")
    assert calls == [{"data": tmp_path, "out": tmp_path / "out"}]


def test_data_has_a_usual_place(lamella, calls, tmp_path, monkeypatch):
    (tmp_path / "mcp").mkdir()
    monkeypatch.setenv("LAMELLA_DATA", str(tmp_path))
    assert lamella("train", "bones").code == 0
    assert calls[-1]["data"] == tmp_path / "mcp"
    monkeypatch.delenv("LAMELLA_DATA")
    assert lamella("evaluate", "speed").code == 0
    assert calls[-1]["data"] is None
    ran = lamella("train", "bones")
    assert ran.code == 2
    assert "--data" in ran.err


def test_the_spine_makes_do_with_phantoms(lamella, calls, tmp_path, monkeypatch):
    """Its data is LAMELLA_DATA/spine where that exists, else none is needed."""
    monkeypatch.setattr(develop, "offered", lambda package, function: ["healthivert"])
    monkeypatch.delenv("LAMELLA_DATA", raising=False)
    assert lamella("train", "healthivert").code == 0
    assert calls[-1]["data"] is None
    monkeypatch.setenv("LAMELLA_DATA", str(tmp_path))
    assert lamella("train", "healthivert").code == 0
    assert calls[-1]["data"] is None
    (tmp_path / "spine").mkdir()
    assert lamella("train", "healthivert").code == 0
    assert calls[-1]["data"] == tmp_path / "spine"
    assert "found no data" in lamella("train", "healthivert", "--data", "nowhere").err


def test_benchmarks_of_spines_find_theirs(lamella, calls, tmp_path, monkeypatch):
    names = [*develop.SPINE_BENCHMARKS, "spine-phantoms"]
    modules = [name.replace("-", "_") for name in names]
    monkeypatch.setattr(develop, "offered", lambda package, function: modules)
    monkeypatch.setenv("LAMELLA_DATA", str(tmp_path))
    (tmp_path / "spine").mkdir()
    for name in names:
        assert lamella("evaluate", name).code == 0
    folders = [call["data"] for call in calls]
    assert folders == [tmp_path / "spine", tmp_path / "spine", None]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "bones", "--data", "nowhere"], "found no data at nowhere"),
        (["train", "bones", "--steps", "0"], "--steps above 0"),
        (["train", "unknown"], "cannot train 'unknown': there is bones, layers, speed"),
        (["evaluate", "unknown"], "cannot evaluate 'unknown'"),
    ],
)
def test_bad_usage_gets_one_line(lamella, calls, words, said):
    ran = lamella(*words)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert ran.err.count("\n") == 1
    assert calls == []


def test_a_missing_framework_says_what_to_install(lamella, monkeypatch, tmp_path):
    real = importlib.import_module

    def import_module(name):
        if name == "lamella.recipes.bones":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
        return real(name)

    monkeypatch.setattr(develop.importlib, "import_module", import_module)
    monkeypatch.setattr(develop, "offered", lambda package, function: ["bones"])
    ran = lamella("train", "bones", "--data", tmp_path)
    assert ran.code == 2
    assert 'pip install "lamella[train]"' in ran.err


def test_a_missing_library_of_a_benchmark_says_what_to_install(lamella, monkeypatch, tmp_path):
    def measure(**_):
        raise ModuleNotFoundError("No module named 'cv2'", name="cv2")

    monkeypatch.setattr(develop, "_function", lambda *_: measure)
    ran = lamella("evaluate", "layers", "--data", tmp_path)
    assert ran.code == 2
    assert 'evaluate needs cv2, which is not installed: pip install "lamella[dev]"' in ran.err


def test_what_is_offered_is_found_without_importing_it(tmp_path, monkeypatch):
    package = tmp_path / "some_recipes"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "good.py").write_text("def train(data):\n    ...\nraise ImportError\n")
    (package / "helper.py").write_text("def other():\n    ...\nraise ImportError\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert develop.offered("some_recipes", "train") == ["good"]
    assert "layers" in develop.offered("lamella.evaluation", "evaluate")
