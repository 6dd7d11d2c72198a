"""Names of models and versions, as people and programs write them."""

import re
from dataclasses import dataclass

from features.ground.errors import bounded
from models_store.errors import BadSpecError

MODEL_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
# A version number fits a database integer on every engine.
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Spec:
    """A model, and perhaps one version of it.

    Attributes
    ----------
    model : str
        Name of the model.
    number : int or None
        Version number; None for whichever is in production.
    """

    model: str
    number: int | None = None

    def __str__(self) -> str:
        return self.model if self.number is None else f"{self.model}@{self.number}"


def parse_spec(text: str) -> Spec:
    """Read `MODEL` or `MODEL@N`.

    Parameters
    ----------
    text : str
        What the caller wrote.

    Returns
    -------
    Spec
        Model name and version number.

    Raises
    ------
    BadSpecError
        If the name or the number has another form.
    """
    name, mark, number = text.partition("@")
    checked_name(name)
    if not mark:
        return Spec(model=name)
    if not _NUMBER.fullmatch(number):
        raise BadSpecError(
            f"the version after @ must be a whole number from 1, got {bounded(number)!r}", spec=bounded(text)
        )
    return Spec(model=name, number=int(number))


def parse_version(text: str) -> Spec:
    """Read `MODEL@N`, where leaving out the number is an error.

    Parameters
    ----------
    text : str
        What the caller wrote.

    Returns
    -------
    Spec
        Model name and version number, never None.

    Raises
    ------
    BadSpecError
        If the text is not `MODEL@N`.
    """
    spec = parse_spec(text)
    if spec.number is None:
        raise BadSpecError(f"name a version as {spec.model}@N, got {bounded(text)!r}", spec=bounded(text))
    return spec


def checked_name(name: str) -> str:
    """Return the name, if a model may be called so.

    Parameters
    ----------
    name : str
        Proposed name of a model.

    Returns
    -------
    str
        The same name.

    Raises
    ------
    BadSpecError
        If it is empty, over 100 characters, or holds anything but ASCII letters, digits, `-` and `_`.
    """
    if not MODEL_NAME.fullmatch(name):
        raise BadSpecError(
            f"a model's name is 1 to 100 letters, digits, - or _, got {bounded(name)!r}", name=bounded(name)
        )
    return name
