"""From a radiograph to what a method can use: grids, masks, overlaps made on purpose."""
