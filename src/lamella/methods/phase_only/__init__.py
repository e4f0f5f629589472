"""Narrowing from the radiographs alone: phase-only correlation of each side of the joint space."""
