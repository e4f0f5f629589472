"""``lamella info``: complete, valid and light."""

import json
import subprocess
import sys

import lamella as package
from lamella.cli.info import distribution_version, missing_modules

HEAVY = ("numpy", "onnxruntime", "torch", "scipy", "pydicom", "jinja2", "PIL")


def test_info_prints_valid_json(lamella):
    ran = lamella("info", "--json")
    assert (ran.code, ran.err) == (0, "")
    found = json.loads(ran.out)
    assert found["lamella"] == package.__version__
    assert found["dependencies"]["numpy"]
    networks = {network["name"]: network for network in found["networks"]}
    assert {"bones", "shares"} <= set(networks)
    assert all(len(network["sha256"]) == 64 for network in networks.values())
    assert "research use only" in found["notice"]
    assert set(found["extras"]) == {"itk", "train", "parquet", "serve"}


def test_info_in_words(lamella):
    ran = lamella("info")
    assert ran.code == 0
    assert "research use only" in ran.out
    assert "shares  SHA-256 " in ran.out


def test_info_imports_nothing_heavy():
    code = (
        "import sys; from lamella.cli import main; code = main(['info', '--json']); "
        f"sys.stderr.write(' '.join(sorted(set({HEAVY!r}) & set(sys.modules)))); sys.exit(code)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    assert json.loads(run.stdout)


def test_what_is_missing_is_said():
    assert distribution_version("no-such-distribution") is None
    assert missing_modules("serve")["installed"] is (missing_modules("serve")["missing"] == [])
