"""Bones registered between visits, each on its own, on what the radiograph shows of it alone."""
