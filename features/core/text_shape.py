"""What text looks like from its first signs alone: a cheap bound on how much of it can be a number or a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.ground.late import pa

SIGN, DIGIT = b"+-", b"0123456789"
ZERO, NINE, DASH = DIGIT[0], DIGIT[-1], SIGN[1]
SHORTEST_TIME, YEAR_LENGTH = 10, 4
# So that looking a few signs ahead never leaves the buffer.
AHEAD = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class TextShape:
    """The first signs of each text of a column.

    Parameters
    ----------
    data : ndarray of uint8
        The bytes of all texts.
    starts, lengths : ndarray of int, shape (n,)
        Where each is, and how long; missing and empty ones are left out.
    counts : ndarray of int, shape (256,)
        How many begin with each byte.
    """

    data: npt.NDArray[np.uint8]
    starts: npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int32]
    counts: npt.NDArray[np.int64]

    def beginning(self, signs: bytes) -> int:
        """Count texts that begin with one of these bytes.

        Parameters
        ----------
        signs : bytes
            The bytes.

        Returns
        -------
        int
            Never less than the texts of any shape that begins so.
        """
        return int(self.counts[list(signs)].sum())

    def longest(self) -> int:
        """Return the length of the longest text.

        Returns
        -------
        int
            In bytes, 0 if there is none.
        """
        return int(self.lengths.max(initial=0))

    def long(self, least: int) -> int:
        """Count texts of a length or more.

        Parameters
        ----------
        least : int
            In bytes, 1 or more.

        Returns
        -------
        int
            How many.
        """
        return int((self.lengths >= least).sum())

    def times(self) -> int:
        """Count texts that may be times.

        Returns
        -------
        int
            How many are as long as a date and have a dash behind four signs.
        """
        if not self.beginning(DIGIT):
            return 0
        return int(((self.lengths >= SHORTEST_TIME) & (self.data[self.starts + YEAR_LENGTH] == DASH)).sum())

    def leading_zeros(self) -> int:
        """Count texts such as 00123, with or without a sign: codes, that would lose their zeros as numbers.

        Returns
        -------
        int
            How many begin with a zero that another digit follows.
        """
        if not self.beginning(DIGIT[:1] + SIGN):
            return 0
        first = self.data[self.starts]
        signed = (first == SIGN[0]) | (first == SIGN[1])
        places = self.starts + signed
        second = self.data[places + 1]
        zeros = (self.data[places] == ZERO) & (second >= ZERO) & (second <= NINE)
        return int((zeros & (self.lengths > 1 + signed)).sum())


def text_shape(values: pa.Array) -> TextShape:
    """Look at the first signs of a column of text.

    Parameters
    ----------
    values : pyarrow.Array of string, length n
        Text; null means missing.

    Returns
    -------
    TextShape
    """
    values = values.drop_null() if values.null_count else values
    if not len(values) or values.buffers()[2] is None:
        none = np.zeros(0, np.int32)
        return TextShape(data=np.zeros(AHEAD, np.uint8), starts=none, lengths=none, counts=np.zeros(256, np.int64))
    ends = np.frombuffer(values.buffers()[1], np.int32)[values.offset : values.offset + len(values) + 1]
    data = np.append(np.frombuffer(values.buffers()[2], np.uint8)[: ends[-1]], np.zeros(AHEAD, np.uint8))
    starts, lengths = ends[:-1], np.diff(ends)
    if not lengths.all():
        starts, lengths = starts[lengths > 0], lengths[lengths > 0]
    counts = np.bincount(data[starts], minlength=256)
    return TextShape(data=data, starts=starts, lengths=lengths, counts=counts)
