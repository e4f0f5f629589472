"""Small known spines for the evaluation's tests: made once a run, and hand-made cases."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from lamella.evaluation.spine_cases import SpineCase, Triple
from lamella.evaluation.spine_cohort import FINE, CohortSpine, spine_cohort
from lamella.evaluation.spine_drawers import plain_drawers
from lamella.evaluation.spine_one import SpineWork, calibrated_references
from lamella.evaluation.spine_runs import SpineResult
from lamella.io.write import write_json
from lamella.methods.healthivert.channels import SHAPE, Channel
from lamella.physics.phantoms.spine import SpinePhantom, SpinePhantomSpec, spine_phantom
from lamella.physics.virtual_fracture import FractureSpec
from lamella.tasks.spine import MeasuredSpine, measured_spine

SPEC = SpinePhantomSpec(
    levels=("T12", "L1", "L2", "L3"),
    spacing_mm=2.0,
    seed=7,
    noise_hu=5.0,
    fractures={"L1": FractureSpec(kind="wedge", loss=0.4)},
)
"""A spine whose L1 has lost 40 % in front."""


@lru_cache
def phantom() -> SpinePhantom:
    """The spine of :data:`SPEC`."""
    return spine_phantom(SPEC)


@lru_cache
def measured() -> MeasuredSpine:
    """It, measured from CT and labels."""
    return measured_spine(phantom().labels, phantom().ct)


def coarse_spines(count: int, vertebrae: int = 3) -> tuple[CohortSpine, ...]:
    """Spines of the cohort, few vertebrae and 3 mm."""
    return spine_cohort(count, (3.0,), (vertebrae, vertebrae))


@lru_cache
def result() -> SpineResult:
    """The first coarse spine, by every method that learns nothing."""
    work = SpineWork(references=calibrated_references(), drawers=plain_drawers())
    return work(coarse_spines(1)[0])


def case(said: Triple, true: Triple, **given: object) -> SpineCase:
    """A vertebra with a true and a said loss."""
    known = {"spine": "a", "level": "L1", "spacing": FINE, "target": True, "kind": None}
    return SpineCase(**known | {"true_rhlv": true, "rhlv": said} | given)


def flat(loss: float) -> Triple:
    """The same loss in every third."""
    return (loss, loss, loss)


def write_generator(folder: Path, variant: str, plane: str) -> None:
    """A generator that draws a block wherever it is asked: its CT is what it is shown."""
    folder.mkdir(parents=True)
    rows, columns = SHAPE[1], SHAPE[2] if plane == "sagittal" else SHAPE[0]
    block = np.zeros((1, 1, rows, columns), np.float32)
    block[:, :, 68:92, columns // 2 - 15 : columns // 2 + 16] = 1.0
    nodes = [
        helper.make_node("Gather", ["input", "ct"], ["grey"], axis=1),
        helper.make_node("Gather", ["input", "gap"], ["hole"], axis=1),
        helper.make_node("Mul", ["hole", "block"], ["body"]),
        helper.make_node("Concat", ["grey", "body", "grey", "body"], ["maps"], axis=1),
        helper.make_node("ReduceMax", ["hole"], ["one"], axes=[1, 2], keepdims=0),
        helper.make_node("Gather", ["one", "twice"], ["pair"], axis=1),
        helper.make_node("Mul", ["pair", "rows"], ["heights"]),
    ]
    constants = {
        "ct": np.array([Channel.CT]),
        "gap": np.array([Channel.GAP]),
        "block": block,
        "twice": np.array([0, 0]),
        "rows": np.array(24.0, np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "block",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 7, rows, columns])],
        [
            helper.make_tensor_value_info("maps", TensorProto.FLOAT, ["n", 4, rows, columns]),
            helper.make_tensor_value_info("heights", TensorProto.FLOAT, ["n", 2]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, folder / f"{variant}-{plane}.onnx")
    card = {"kind": "healthivert", "plane": plane, "recipe": {"variant": variant}}
    write_json(folder / f"{variant}-{plane}.json", card)
