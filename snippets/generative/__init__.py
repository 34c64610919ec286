"""Modules of the articles on generative models."""
