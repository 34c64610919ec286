"""Modules of the articles on computer vision."""
