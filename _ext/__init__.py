"""Local Sphinx extensions, one job each."""
