"""How files are to be read, as a caller says it."""

import codecs
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from features.errors import HeaderError, ReadOptionError, UnreadableFileError
from features.ground.errors import bounded

Format = Literal["csv", "parquet", "jsonl"]
FORMATS: tuple[Format, ...] = get_args(Format)
SUFFIXES: dict[str, Format] = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "parquet", ".pq": "parquet", ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}  # fmt: skip
PACKED = (".gz", ".zst", ".zip")
CSV_MISSING = ("", "NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null", "None")
NO_QUOTE = "none"
SIGNS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "bar": "|", "space": " "}
# Codecs of Python that are no encodings of files.
NOT_OF_FILES = {"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "utf-7"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadOptions:
    """How to read a file.

    Parameters
    ----------
    format : str or None
        csv, parquet or jsonl; by default the file name says it.
    columns : tuple of str
        Names of the columns, needed where `header` is False.
    header : bool
        Whether a CSV file's first row holds the names.
    na : tuple of str or None
        Texts that mean missing; by default those people use in CSV, and none in the other formats.
    delimiter : str
        The sign between a CSV file's fields, or its name: tab, comma, semicolon, bar, space. By default a comma, or a
        tab where the file's name ends in .tsv.
    quote : str
        The sign around a CSV field that holds others, or none.
    encoding : str
        Of CSV and JSON Lines, by Python's name.
    timezone : str
        Zone of times that name none, by its IANA name; without it they are refused. It is the dataset's from its
        first rows on.
    """

    format: Format | None = None
    columns: tuple[str, ...] = ()
    header: bool = True
    na: tuple[str, ...] | None = None
    delimiter: str = ""
    quote: str = '"'
    encoding: str = "utf-8"
    timezone: str = ""

    def checked(self) -> "ReadOptions":
        """Return the same in the one way it is written.

        Raises
        ------
        HeaderError, ReadOptionError
            If an option makes no sense.
        """
        if not self.header and not self.columns:
            raise HeaderError("a file without a header needs the names of its columns: --columns a,b,…")
        if self.format not in (None, *FORMATS):
            raise ReadOptionError(f"a format is one of {', '.join(FORMATS)}; got {bounded(repr(self.format))}")
        delimiter = SIGNS.get(self.delimiter, self.delimiter)
        quote = "" if self.quote == NO_QUOTE else self.quote
        for what, sign in (("delimiter", delimiter), ("quote", quote)):
            if sign and (len(sign) > 1 or not sign.isascii() or sign in "\r\n\x00"):
                raise ReadOptionError(f"a {what} is one ASCII sign; got {bounded(repr(sign))}")
        if delimiter and delimiter == quote:
            raise ReadOptionError(f"the delimiter and the quote are both {delimiter!r}; one sign can't be both")
        said = {**asdict(self), "delimiter": delimiter, "quote": quote, "encoding": _encoding(self.encoding)}
        return ReadOptions(**said)

    def missing(self, kind: Format) -> tuple[str, ...]:
        """Return the texts that mean missing in a file of this format."""
        return (CSV_MISSING if kind == "csv" else ()) if self.na is None else self.na


def _encoding(name: str) -> str:
    try:
        found = codecs.lookup(name).name.replace("_", "-")
        "a".encode(name)
    except (LookupError, UnicodeError, ValueError):
        found = ""
    if not found or found in NOT_OF_FILES:
        text = "an encoding is one such as utf-8, utf-16, latin-1 or cp1252"
        raise ReadOptionError(f"{text}; got {bounded(repr(name))}") from None
    # A mark at the start is skipped either way.
    return "utf-8" if found == "utf-8-sig" else found


def format_of(*names: str) -> Format:
    """Return the format that the first name to say one says; what the bytes are packed with comes after it."""
    for name in names:
        path = Path(name)
        path = path.with_suffix("") if path.suffix.lower() in PACKED else path
        if path.suffix.lower() in SUFFIXES:
            return SUFFIXES[path.suffix.lower()]
    allowed = ", ".join((*SUFFIXES, *PACKED))
    raise UnreadableFileError(f"{bounded(names[0])} ends in none of {allowed}; name its format with --format")
