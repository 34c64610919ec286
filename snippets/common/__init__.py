"""What several articles need: plot style, records of long runs, measuring."""
