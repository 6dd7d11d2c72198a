"""Texts that a pattern matches, numbered: from the pattern to any of them."""

import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

from features.errors import SchemaError
from features.ground.errors import bounded

# How often `*` and `+` repeat beyond the least; a text need not be long to match.
MORE = 3
PRINTABLE = "".join(chr(code) for code in range(32, 127))
WORD = string.digits + string.ascii_uppercase + "_" + string.ascii_lowercase
CLASSES = {"d": string.digits, "w": WORD, "s": " "}
SIGNS = {"t": "\t", "n": "\n", "r": "\r"}


@dataclass(frozen=True, slots=True)
class Texts:
    """Some texts, of which each has a number from 0; equal ones may have several.

    Parameters
    ----------
    count : int
        How many there are.
    text : callable
        Gives the text of a number.
    """

    count: int
    text: Callable[[int], str]


def pattern_texts(pattern: str) -> Texts:
    """Return texts that a pattern matches.

    Parameters
    ----------
    pattern : str
        RE2 syntax: letters, classes, groups, alternatives and repetitions.

    Returns
    -------
    Texts
        In printable ASCII where the pattern names no other letters.

    Raises
    ------
    SchemaError
        If the pattern holds anything else: it is named.
    """
    reader = _Reader(pattern)
    texts = reader.alternatives()
    if reader.rest:
        raise reader.unknown(reader.rest[0])
    return texts


def _one_of(choices: Sequence[Texts]) -> Texts:
    def text(number: int) -> str:
        for choice in choices:
            if number < choice.count:
                return choice.text(number)
            number -= choice.count
        raise IndexError(number)

    return choices[0] if len(choices) == 1 else Texts(sum(choice.count for choice in choices), text)


def _chain(parts: Sequence[Texts]) -> Texts:
    def text(number: int) -> str:
        texts = []
        for part in reversed(parts):
            number, place = divmod(number, part.count)
            texts.append(part.text(place))
        return "".join(reversed(texts))

    return Texts(prod(part.count for part in parts), text)


def _letters(letters: str) -> Texts:
    return Texts(len(letters), letters.__getitem__)


class _Reader:
    """Reads a pattern from left to right."""

    def __init__(self, pattern: str) -> None:
        self.pattern, self.at = pattern, 0

    @property
    def rest(self) -> str:
        return self.pattern[self.at :]

    def unknown(self, what: str) -> SchemaError:
        text = f"no text can be made up for the pattern {bounded(self.pattern)!r}: it holds {what!r}"
        return SchemaError(f"{text}; allowed are letters, classes, groups, alternatives and repetitions")

    def taken(self, *signs: str) -> str:
        """Pass over one of these, and return which."""
        for sign in signs:
            if self.rest.startswith(sign):
                self.at += len(sign)
                return sign
        return ""

    def next(self) -> str:
        self.at += 1
        return self.pattern[self.at - 1]

    def alternatives(self) -> Texts:
        choices = [self.sequence()]
        while self.taken("|"):
            choices.append(self.sequence())
        return _one_of(choices)

    def sequence(self) -> Texts:
        parts: list[Texts] = []
        # The whole text is matched, so an anchor at either end says nothing more.
        self.taken("^", r"\A")
        while self.rest and self.rest[0] not in "|)":
            if self.rest in ("$", r"\z") or self.rest.startswith(("$|", "$)", r"\z|", r"\z)")):
                self.taken("$", r"\z")
            else:
                parts.append(self.repeated(self.atom()))
        return _chain(parts)

    def atom(self) -> Texts:
        if self.taken("("):
            self.group_name()
            inner = self.alternatives()
            self.taken(")")
            return inner
        if self.taken("["):
            return _letters(self.set_of_letters())
        sign = self.next()
        if sign == ".":
            return _letters(PRINTABLE)
        if sign in "^$*+?{":
            raise self.unknown(sign)
        return _letters(self.escaped() if sign == "\\" else sign)

    def group_name(self) -> None:
        if self.taken("?:") or not self.rest.startswith("?"):
            return
        if not self.taken("?P<", "?<"):
            raise self.unknown("(" + self.rest[:2])
        while self.next() != ">":
            pass

    def escaped(self) -> str:
        """Return the letters an escape stands for; the backslash has been read."""
        sign = self.next()
        if sign.lower() in CLASSES:
            letters = CLASSES[sign.lower()]
            return letters if sign.islower() else "".join(one for one in PRINTABLE if one not in letters)
        if sign in SIGNS:
            return SIGNS[sign]
        if sign.isalnum():
            raise self.unknown("\\" + sign)
        return sign

    def set_of_letters(self) -> str:
        negated, letters, first = bool(self.taken("^")), "", True
        while first or not self.taken("]"):
            first = False
            if self.rest.startswith("[:"):
                raise self.unknown(self.rest[:2])
            low = self.letter_of_set()
            if len(low) == 1 and self.rest[:1] == "-" and self.rest[1:2] != "]":
                self.next()
                low = "".join(map(chr, range(ord(low), ord(self.letter_of_set()) + 1)))
            letters += low
        return "".join(one for one in PRINTABLE if one not in letters) if negated else "".join(dict.fromkeys(letters))

    def letter_of_set(self) -> str:
        sign = self.next()
        return self.escaped() if sign == "\\" else sign

    def repeated(self, texts: Texts) -> Texts:
        low, high = 1, 1
        if sign := self.taken("?", "*", "+"):
            low, high = {"?": (0, 1), "*": (0, MORE), "+": (1, 1 + MORE)}[sign]
        elif self.taken("{"):
            said = ""
            while (sign := self.next()) != "}":
                said += sign
            least, comma, most = said.partition(",")
            low = int(least)
            high = int(most) if most else low + (MORE if comma else 0)
        else:
            return texts
        # Greedy or not, the same texts match.
        self.taken("?")
        return self.repeated(_one_of([_chain([texts] * times) for times in range(low, high + 1)]))
