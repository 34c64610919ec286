"""Modules of the articles on Python."""
