"""``lamella info``: what is installed, without importing any of it."""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from importlib.util import find_spec
from typing import Annotated, Any

from cyclopts import Parameter

from lamella import __version__
from lamella.cli.console import ExitCode, say

DEPENDENCIES = (
    "numpy",
    "scipy",
    "onnxruntime",
    "array-api-compat",
    "jaxtyping",
    "pillow",
    "tifffile",
    "pydicom",
    "pylibjpeg",
    "pylibjpeg-openjpeg",
    "pyjpegls",
    "python-gdcm",
    "scikit-image",
    "jinja2",
    "cyclopts",
    "rich",
)
EXTRAS = {
    "train": (
        "torch",
        "lightning",
        "monai",
        "einops",
        "onnx",
        "onnxscript",
        "sklearn",
        "tensorboard",
    ),
    "itk": ("SimpleITK",),
    "parquet": ("pyarrow",),
    "serve": ("fastapi", "uvicorn"),
}
RECORDED = ("numpy", "scipy", "onnxruntime", "pillow", "tifffile", "pydicom", "nibabel")
NOTICE = "research use only, not for diagnosis"


def info(*, as_json: Annotated[bool, Parameter(name="--json", negative=())] = False) -> int:
    """Show versions, networks and installed extras.

    Args:
        as_json: print one JSON object.
    """
    found = installed()
    say(json.dumps(found, indent=2, ensure_ascii=False) if as_json else _as_text(found))
    return ExitCode.OK


def installed() -> dict[str, Any]:
    """Versions, platform, networks and extras of this installation."""
    return {
        "lamella": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "dependencies": {name: distribution_version(name) for name in DEPENDENCIES},
        "networks": networks(),
        "extras": {extra: missing_modules(extra) for extra in EXTRAS},
        "notice": NOTICE,
    }


def versions() -> dict[str, str]:
    """Versions a run records: Lamella, Python and what decides its numbers."""
    libraries = {name: distribution_version(name) or "unknown" for name in RECORDED}
    return {"lamella": __version__, "python": platform.python_version(), **libraries}


def networks() -> list[dict[str, str]]:
    """Name, SHA-256 and licence of every shipped network, from the cards beside them."""
    found = []
    for entry in sorted(files("lamella.zoo").iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".json"):
            card = json.loads(entry.read_text(encoding="utf-8"))
            if "sha256" not in card:  # fitted figures, no network
                continue
            licence = str(card.get("licence") or card.get("license") or "not stated")
            name = entry.name.removesuffix(".json")
            found.append({"name": name, "sha256": str(card["sha256"]), "licence": licence})
    return found


def distribution_version(name: str) -> str | None:
    """Version of an installed distribution, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def missing_modules(extra: str) -> dict[str, Any]:
    """Whether an extra is installed, and which of its modules could not be imported; none is."""
    missing = [module for module in EXTRAS[extra] if find_spec(module) is None]
    return {"installed": not missing, "missing": missing}


def _as_text(found: dict[str, Any]) -> str:
    dependencies = ", ".join(
        f"{name} {number or 'missing'}" for name, number in found["dependencies"].items()
    )
    extras = ", ".join(_extra(name, state) for name, state in found["extras"].items())
    lines = [
        f"Lamella {found['lamella']}: {found['notice']}",
        f"Python {found['python']} on {found['platform']}",
        f"Dependencies: {dependencies}",
        f"Extras: {extras}",
        "Networks:",
    ]
    for network in found["networks"]:
        lines.append(f"  {network['name']}  SHA-256 {network['sha256']}")
        lines.append(f"    licence: {' '.join(network['licence'].split())}")
    return "\n".join(lines)


def _extra(name: str, state: dict[str, Any]) -> str:
    if state["installed"]:
        return f"{name} installed"
    return f"{name} not installed (without {', '.join(state['missing'])})"
