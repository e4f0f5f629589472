"""Finding the upper and the lower bone of a finger joint: two masks that may overlap."""
