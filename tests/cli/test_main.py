"""The program as a whole: help, version, and what becomes of errors."""

import subprocess
import sys

import pytest

import lamella as package
from lamella.cli import info
from lamella.cli.console import ExitCode

VERBS = (
    "separate",
    "synthesize",
    "measure",
    "narrowing",
    "spine",
    "demo",
    "info",
    "doctor",
    "train",
    "evaluate",
)


def test_alone_it_prints_help(lamella):
    ran = lamella()
    assert (ran.code, ran.err) == (0, "")
    for verb in VERBS:
        assert verb in ran.out


def test_version(lamella):
    assert lamella("--version").out.strip() == package.__version__


def test_an_unknown_command_is_bad_usage(lamella):
    ran = lamella("dissolve")
    assert (ran.code, ran.out) == (ExitCode.BAD_INPUT, "")
    assert ran.err.count("\n") == 1


def test_an_unexpected_error_is_one_line(lamella, monkeypatch):
    def faulty():
        raise RuntimeError("private matter")

    monkeypatch.setattr(info, "installed", faulty)
    ran = lamella("info")
    assert ran.code == ExitCode.INTERNAL
    assert ran.err == (
        "lamella: internal error RuntimeError, please report; "
        "run with LAMELLA_DEBUG=1 for the traceback\n"
    )
    monkeypatch.setenv("LAMELLA_DEBUG", "1")
    assert "private matter" in lamella("info").err


def test_ctrl_c_is_its_own_exit_code(lamella, monkeypatch):
    def stopped():
        raise KeyboardInterrupt

    monkeypatch.setattr(info, "installed", stopped)
    ran = lamella("info")
    assert (ran.code, ran.err) == (130, "lamella: interrupted\n")


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_command_has_help(lamella, flag):
    for verb in VERBS:
        ran = lamella(verb, flag)
        assert ran.code == 0
        assert f"lamella {verb}" in ran.out


def test_starting_up_imports_no_numerical_library():
    code = (
        "import sys, lamella.cli; "
        "print(*sorted({'numpy', 'torch', 'onnxruntime', 'scipy'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []
