"""Narrowing as the difference of two joint space widths, each read from outlines."""
