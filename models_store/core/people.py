"""Who a person is, whichever door they come through."""

DOORS = ("user:", "cli:")


def person(actor: str) -> str:
    """Return the name by which two words of one person are told from those of two.

    Parameters
    ----------
    actor : str
        As the audit names actors: `user:alice` from the console and the API, `cli:alice` from a shell.

    Returns
    -------
    str
        The bare name in small letters, so that nobody gives two words through two doors; a service keeps its prefix.
    """
    name = actor.strip()
    for door in DOORS:
        name = name.removeprefix(door)
    return name.strip().casefold()[:150]
