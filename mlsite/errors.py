"""What the site itself refuses."""

from features.ground.errors import DomainError, ForbiddenError, InvalidInputError


class SiteError(DomainError):
    """Base of the site's own errors."""


class WrongCodeError(SiteError, ForbiddenError):
    """The code of a second factor is not right."""

    code = "wrong_code"


class BadSavedFilterError(SiteError, InvalidInputError):
    """A filter of a list can't be kept as it was given."""

    code = "bad_saved_filter"
