"""One rule for every cut of a training: test part, validation part and folds."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold

from pipeline.core.splits import IndexArray, Split, group_split, random_split, time_split
from pipeline.core.training_errors import EmptySplitError

Kind = Literal["time", "random", "group"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitRule:
    """How rows are cut, whichever rows they are.

    Attributes
    ----------
    kind : {"time", "random", "group"}
        What decides.
    size : float
        Share of the rows that goes into the second part.
    seed : int
        Of what is drawn.
    times, known_at : ndarray of shape (n_rows,) or None
        When each row happened, and when its label became known; of a time split.
    classes : ndarray of shape (n_rows,) or None
        Class of each row; each keeps its share in a random split.
    groups : ndarray of shape (n_rows,) or None
        Group of each row, of a group split.
    """

    kind: Kind
    size: float
    seed: int
    times: npt.NDArray[np.datetime64] | None = None
    known_at: npt.NDArray[np.datetime64] | None = None
    classes: npt.NDArray[Any] | None = None
    groups: IndexArray | None = None

    def cut(self, rows: IndexArray) -> Split:
        """Cut rows into those to learn from and those to judge by.

        Parameters
        ----------
        rows : ndarray of shape (n_chosen,)
            Positions, ascending.

        Returns
        -------
        Split
            Of positions among all rows.

        Raises
        ------
        EmptySplitError
            If one part would be empty.
        """
        if self.times is not None:
            known_at = None if self.known_at is None else self.known_at[rows]
            found = time_split(self.times[rows], self.size, known_at)
        elif self.groups is not None:
            found = group_split(self.groups[rows], self.size, self.seed)
        else:
            found = random_split(len(rows), self.size, self.seed, None if self.classes is None else self.classes[rows])
        return _placed(found, rows)

    def folds(self, rows: IndexArray, count: int) -> list[Split]:
        """Cut rows into folds, each judged once by a model of others.

        A time rule learns from the folds before (Bergmeir and Benitez, Information Sciences 191, 2012), so it judges
        `count` of `count + 1` blocks; the others learn from all but one.

        Parameters
        ----------
        rows : ndarray of shape (n_chosen,)
            Positions, ascending.
        count : int
            How many folds.

        Returns
        -------
        list of Split
            Of positions among all rows.

        Raises
        ------
        EmptySplitError
            If the rows are too few for so many folds.
        """
        if self.times is not None:
            return [_placed(fold, rows) for fold in self._time_folds(self.times[rows], rows, count)]
        groups = None if self.groups is None else self.groups[rows]
        classes = None if self.classes is None else self.classes[rows]
        parts = len(rows) if groups is None else len(np.unique(groups))
        if parts < count:
            kind = "rows" if groups is None else "groups"
            raise EmptySplitError(f"{parts} {kind} are too few for {count} folds; give a smaller cv", folds=count)
        if groups is not None:
            cuts = GroupKFold(count, shuffle=True, random_state=self.seed).split(rows, groups=groups)
        elif classes is not None and np.unique(classes, return_counts=True)[1].min() >= count:
            cuts = StratifiedKFold(count, shuffle=True, random_state=self.seed).split(rows, classes.astype(str))
        else:
            cuts = KFold(count, shuffle=True, random_state=self.seed).split(rows)
        return [_placed(Split(train=train, test=test), rows) for train, test in cuts]

    def _time_folds(self, times: npt.NDArray[np.datetime64], rows: IndexArray, count: int) -> list[Split]:
        timed = np.sort(times[~np.isnat(times)])
        places = [len(timed) * part // (count + 1) for part in range(count + 1)]
        edges = np.unique(timed[places]) if len(timed) else timed
        if len(edges) < count + 1:
            raise EmptySplitError(
                f"{len(np.unique(timed))} moments are too few for {count} folds; give a smaller cv", folds=count
            )
        known_at = None if self.known_at is None else self.known_at[rows]
        folds = []
        for start, end in zip(edges[1:], [*edges[2:], None], strict=True):
            early, test = times < start, times >= start if end is None else (times >= start) & (times < end)
            if known_at is not None:
                early &= ~(known_at >= start)
            if not early.any():
                raise EmptySplitError(f"no label of a row before {start} was known by then; give a smaller cv")
            folds.append(Split(train=np.flatnonzero(early), test=np.flatnonzero(test), cut=start))
        return folds


def _placed(split: Split, rows: IndexArray) -> Split:
    return Split(train=rows[split.train], test=rows[split.test], cut=split.cut, left_out=split.left_out)
