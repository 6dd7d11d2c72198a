"""What values of the configuration may look like; what is refused is never repeated, it may be a secret."""

import re
from typing import Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr


def split(value: Any) -> Any:
    """Accept `a,b` beside a list, as people write it in an environment variable."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def address_of(*schemes: str) -> AfterValidator:
    """Accept an empty value or an address that begins with one of the schemes, never repeating what came."""

    def check(value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if text and not text.startswith(tuple(f"{scheme}:" for scheme in schemes)):
            raise ValueError(f"must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
        try:
            _ = urlsplit(text).port
        except ValueError:
            # The library's text quotes part of the address, which may be part of a password.
            raise ValueError("is not an address; percent-encode the password's special characters") from None
        return value

    return AfterValidator(check)


def targets(pairs: list[str]) -> list[str]:
    """Accept `name=address` pairs, each name once, never repeating what came: an address may hold a password."""
    names = [re.fullmatch(r"([a-z0-9_-]{1,40})=https?://[^\s/]+\S*", pair) for pair in pairs]
    if not all(names) or len({found[1] for found in names if found}) != len(pairs):
        raise ValueError("must be NAME=https://… pairs with names of a-z, 0-9, - and _, each used once")
    return pairs


def pairs_of(value: Any) -> Any:
    """Accept a mapping beside `name=value` pairs."""
    return [f"{name}={text}" for name, text in value.items()] if isinstance(value, dict) else value


def factories(pairs: list[str]) -> list[str]:
    """Accept `name=package.module:factory` pairs, each name once."""
    names = [re.fullmatch(r"([a-z][a-z0-9_]{0,59})=[A-Za-z_][\w.]*:[A-Za-z_]\w*", pair) for pair in pairs]
    if not all(names) or len({found[1] for found in names if found}) != len(pairs):
        raise ValueError("must be NAME: package.module:factory, with names of a-z, 0-9 and _, each used once")
    return pairs


def like(pattern: str, text: str) -> AfterValidator:
    """Accept an empty value or one of this pattern, never repeating what came."""

    def check(value: SecretStr) -> SecretStr:
        if value.get_secret_value() and not re.fullmatch(pattern, value.get_secret_value()):
            raise ValueError(text)
        return value

    return AfterValidator(check)
