"""Print the mean price of every fruit named on the command line."""

import sys

from utils import mean

PRICES = {"apple": [2, 4, 9], "pear": [1, 5, 6], "plum": []}


def report(fruit):
    """Return one line about a fruit."""
    try:
        prices = PRICES[fruit]
    except KeyError as error:
        raise ValueError(f"no prices of {fruit!r}") from error
    middle = mean(prices)
    return f"{fruit}: {middle:.1f}"


def main(fruits):
    """Print one line for every fruit."""
    for fruit in fruits:
        print(report(fruit))


if __name__ == "__main__":
    main(sys.argv[1:] or ["apple", "pear"])
