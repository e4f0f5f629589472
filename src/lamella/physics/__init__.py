"""Image formation, soft tissue, geometry and phantoms: no anatomy but the phantoms', no files."""
