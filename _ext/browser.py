"""Finds the installed Chromium, which prints the book, opens pages in tests and times them."""

import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def find_browser() -> str:
    """Return the path of an installed Chromium.

    Raises: FileNotFoundError where there is none.
    """
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise FileNotFoundError(f"no Chromium: none of {', '.join(NAMES)} is installed")
    return found
