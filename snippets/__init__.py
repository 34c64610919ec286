"""The code of the articles: one module per article, mirrored by a page and a test file."""
