"""What every page shares: its notice, its record of the run, and the templates it is made from.

A page is one HTML document that fetches nothing: images are data URIs, style and script are
inside it, and its content security policy forbids every other source.
"""

import functools
from collections.abc import Sequence
from importlib import resources
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from lamella.records import RunRecord
from lamella.report import wording

NOTICE = "Synthetic images · research use only · not for diagnosis"


def rendered(template: str, **context: Any) -> str:
    """One template as a document."""
    environment = _environment()
    return environment.get_template(template).render(notice=NOTICE, **context).lstrip()


def joined(names: Sequence[str]) -> Markup:
    """Style sheets or scripts of the page, one after another."""
    return Markup("\n".join(template_text(name).rstrip("\n") for name in names))


def run_context(run: RunRecord, names: set[str]) -> dict[str, Any]:
    """The run's record; inputs keep their names only where the page shows those names anyway."""
    inputs = [(name if name in names else "", sha) for name, sha in run.inputs_sha256.items()]
    return {
        "command": wording.command(run.command),
        "versions": list(run.versions.items()),
        "weights": wording.digests(list(run.weights_sha256.items())),
        "inputs": wording.digests(inputs),
        "seed": run.seed,
        "timings": [(step, f"{seconds:.2f} s") for step, seconds in run.timings_s.items()],
        "warnings": run.warnings,
    }


def template_text(name: str) -> str:
    """The text of one template, style sheet or script."""
    folder = resources.files("lamella.report") / "templates"
    return (folder / name).read_text(encoding="utf-8")


@functools.cache
def _environment() -> Environment:
    return Environment(
        loader=FunctionLoader(template_text),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
