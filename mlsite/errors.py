"""What the site itself refuses."""

from features.ground.errors import DomainError, InvalidInputError


class SiteError(DomainError):
    """Base of the site's own errors."""


class BadSavedFilterError(SiteError, InvalidInputError):
    """A filter of a list can't be kept as it was given."""

    code = "bad_saved_filter"
