"""Secrets left out of what is logged and shown."""

import re

SECRET = re.compile(
    r"(?i)(bearer\s+|basic\s+|(?:password|secret|token|api[_-]?key|authorization)[\"']?\s*[:=]\s*[\"']?)[^\s\"',}&]+"
)
JWT = re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*")
API_KEY = re.compile(r"\bmlk_[0-9a-f]{12}_[\w-]+")
URL_PASSWORD = re.compile(r"(\w+://[^:/\s]*:)[^@/\s]+@")


def redacted(text: str) -> str:
    """Return a text with tokens, passwords and keys replaced."""
    text = API_KEY.sub("[key]", JWT.sub("[token]", SECRET.sub(r"\1[secret]", text)))
    return URL_PASSWORD.sub(r"\1[secret]@", text)
