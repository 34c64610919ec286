"""What articles ask of their arguments in the same words."""


def check_count(name: str, value: object, least: int = 1) -> None:
    """Refuse what is no whole number of things.

    Raises: ValueError unless value is an integer >= least; True is none.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be an integer >= {least}, got {value!r}")
