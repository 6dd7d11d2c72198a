"""What an installation lets in."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class InputLimits:
    """What an installation lets in, whatever the model.

    Parameters
    ----------
    min_value, max_value : float
        Smallest and largest number, both allowed.
    max_rows : int
        Rows one request may hold.
    max_string : int
        Characters a text may have.
    nan_replacement : float, optional
        What a missing number becomes; None leaves it to the model's own imputer, or refuses it.
    """

    min_value: float = -1e30
    max_value: float = 1e30
    max_rows: int = 1000
    max_string: int = 4096
    nan_replacement: float | None = None
