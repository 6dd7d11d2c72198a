"""Two versions on the same test rows: by how much the loss of one is above the other's, and how sure that is."""

from dataclasses import dataclass

import numpy as np

from models_store.core.judged import FloatArray, JudgedRows

RESAMPLES = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class PairedLoss:
    """Losses of a candidate and a champion on the rows both were tested on.

    Attributes
    ----------
    rows : int
        How many those are.
    own, champion : float
        Mean loss of each on them: log loss in nats, or squared error.
    resampled : tuple of float
        The difference of the means, own less champion's, in each bootstrap sample, ascending.
    error : str
        Why they can't be compared; empty if they can.
    """

    rows: int
    own: float = 0.0
    champion: float = 0.0
    resampled: tuple[float, ...] = ()
    error: str = ""

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return the percentile interval of the difference.

        Parameters
        ----------
        confidence : float
            Between 0 and 1, exclusive.

        Returns
        -------
        tuple of float
            Its lower and upper end; above zero means worse than the champion.
        """
        low, high = np.quantile(self.resampled, [(1 - confidence) / 2, (1 + confidence) / 2])
        return float(low), float(high)


def paired_loss(own: JudgedRows, champion: JudgedRows, *, seed: int = 0, resamples: int = RESAMPLES) -> PairedLoss:
    """Compare two versions on the rows both were tested on, by a paired bootstrap.

    Rows are drawn with replacement and each brings the losses of both versions, so what makes a row hard for both
    falls out of the difference (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13; paired: Koehn,
    Statistical Significance Tests for Machine Translation Evaluation, EMNLP 2004).

    Parameters
    ----------
    own, champion : JudgedRows
        Of the candidate, and of the version it is held against.
    seed : int
        Equal seeds draw equal samples.
    resamples : int
        How many samples.

    Returns
    -------
    PairedLoss
        With an error where fewer than two rows are common, or the rows disagree on what was true.
    """
    _, mine, theirs = np.intersect1d(own.keys, champion.keys, assume_unique=True, return_indices=True)
    rows = len(mine)
    if rows < 2:
        return PairedLoss(rows=rows, error=f"the versions were tested on {rows} common rows")
    if own.said.shape[1:] != champion.said.shape[1:] or (own.actual[mine] != champion.actual[theirs]).any():
        return PairedLoss(rows=rows, error="the versions disagree on the classes, or on what was true of a common row")
    ours, others = own.losses()[mine], champion.losses()[theirs]
    return PairedLoss(
        rows=rows,
        own=float(ours.mean()),
        champion=float(others.mean()),
        resampled=_resampled(ours - others, seed, resamples),
    )


def _resampled(differences: FloatArray, seed: int, resamples: int) -> tuple[float, ...]:
    draw, rows = np.random.default_rng(seed), len(differences)
    # One sample at a time: all of them at once would take as much memory as there are draws.
    means = [float(differences[draw.integers(0, rows, rows)].mean()) for _ in range(resamples)]
    return tuple(sorted(means))
