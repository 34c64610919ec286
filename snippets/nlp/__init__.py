"""Modules of the articles on natural language processing."""
