"""How a version of something is named: `NAME@N`."""


def split_spec(spec: str) -> tuple[str, int | None]:
    """Return name and number of `NAME@N`; no number for `NAME`, -1 for one that can't be."""
    name, at, number = spec.partition("@")
    return name, int(number) if number.isdecimal() and len(number) < 10 else (-1 if at else None)
