"""Side-by-side timings against the libraries a reader would pick instead."""
