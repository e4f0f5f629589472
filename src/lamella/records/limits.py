"""Fields of a record that must lie between bounds."""

from collections.abc import Mapping

from lamella.records.images import LamellaError


def refuse_outside(record: object, limits: Mapping[str, tuple[float, float]]) -> None:
    """Check that each field lies within its bounds.

    Args:
        record: with these fields.
        limits: name -> least and largest value.

    Raises:
        LamellaError: names the first field that does not, or is no number (NaN).

    Example:
        >>> from types import SimpleNamespace
        >>> refuse_outside(SimpleNamespace(noise=0.3), {"noise": (0.0, 0.2)})
        Traceback (most recent call last):
            ...
        lamella.records.images.LamellaError: noise: expected a value from 0 to 0.2, got 0.3; ...
    """
    for name, (low, high) in limits.items():
        value = getattr(record, name)
        if not low <= value <= high:
            raise LamellaError(
                f"{name}: expected a value from {low:g} to {high:g}, got {value!r}; "
                f"choose {name} in that range"
            )
