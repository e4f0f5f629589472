"""How networks are trained, calibrated and exported. Needs the extra train."""
