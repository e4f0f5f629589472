"""What a reader should doubt of a compared spine: what each loss rests on, and the spine's size.

Losses are told against vertebrae that look healthy beside one another. Where all of them have lost
height, they do; then the vertebrae a loss rests on, and how tall they are beside their levels'
published means, are all there is to see it by.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from lamella.physics.vertebra_population import LEVEL_NORMS, HeightPopulation
from lamella.records import ZONES, MeasuredBody, SpineLabels, Vertebra
from lamella.tasks.vertebra_height import SUSPECT_LOSS

ONE_NEIGHBOUR = "one other vertebra to compare with"
NO_NEIGHBOUR = "compared with no other vertebra"
UNLIKELY_SD = 3.0


def with_doubts(vertebrae: Sequence[Vertebra]) -> tuple[Vertebra, ...]:
    """Vertebrae with what weakens their losses among their flags.

    Args:
        vertebrae: of one spine, compared with one another.
    """
    suspect = {one.level for one in vertebrae if one.loss is not None and _suspect(one)}
    return tuple(
        one if one.healthy is None else replace(one, flags=(*one.flags, *_doubts(one, suspect)))
        for one in vertebrae
    )


def unlikely_size(healthy: Mapping[str, MeasuredBody]) -> str | None:
    """A sentence if bodies taken for healthy are too tall or too low for people, or None.

    The mean log height beside the levels' published means, in standard deviations of the
    population (:class:`~lamella.physics.vertebra_population.HeightPopulation`).

    Args:
        healthy: level -> measured body that nothing was found on.
    """
    levels = [level for level in healthy if level in LEVEL_NORMS]
    if not levels:
        return None
    mean, covariance = HeightPopulation().covariance(levels)
    heights = [healthy[level].heights_mm.of(zone) for level in levels for zone in ZONES]
    apart = float(np.mean(np.log(heights) - mean))
    if abs(apart) <= UNLIKELY_SD * float(np.sqrt(covariance.mean())):
        return None
    part, word = abs(np.expm1(apart)), "lower" if apart < 0 else "taller"
    remedy = "check the spacing" + ("; every one may have lost height" if apart < 0 else "")
    return (
        f"vertebrae taken for healthy are {100 * part:.0f} % {word} than is usual at their levels: "
        f"{remedy}"
    )


def left_out(labels: SpineLabels) -> str | None:
    """A sentence about levels that were not measured because nothing is known of them, or None."""
    unknown = [level for level in labels.levels if level not in LEVEL_NORMS]
    if not unknown:
        return None
    return f"{', '.join(unknown)} left out: heights are compared from T1 to L6"


def _suspect(one: Vertebra) -> bool:
    assert one.loss is not None
    return max(one.loss.rhlv.of(zone) for zone in ZONES) > SUSPECT_LOSS


def _doubts(one: Vertebra, suspect: set[str]) -> tuple[str, ...]:
    assert one.healthy is not None
    rested_on = one.healthy.neighbours
    doubtful = [level for level in rested_on if level in suspect]
    told = []
    if len(rested_on) < 2:
        told.append(ONE_NEIGHBOUR if rested_on else NO_NEIGHBOUR)
    if doubtful:
        told.append(
            f"compared with {', '.join(doubtful)}, lower than expected: the loss may be larger"
        )
    return tuple(told)
