"""Modules of the articles on large-model training."""
