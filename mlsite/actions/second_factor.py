"""A second factor at sign-in: a code that an authenticator shows, made from a key only it and the site know."""

from django.contrib.auth.models import User
from django.db import transaction
from django_otp.plugins.otp_totp.models import TOTPDevice

from features.ground.audit import record_audit, refusals_audited
from mlsite.errors import WrongCodeError

NAME = "authenticator"


def begin_factor(user_id: int) -> TOTPDevice:
    """Make a key that counts once a code of it has been typed; one begun before is forgotten.

    Parameters
    ----------
    user_id : int
        Whose it is to be.

    Returns
    -------
    TOTPDevice
        Not confirmed.
    """
    with transaction.atomic(durable=True):
        User.objects.select_for_update().get(pk=user_id)
        TOTPDevice.objects.filter(user_id=user_id, confirmed=False).delete()
        return TOTPDevice.objects.create(user_id=user_id, name=NAME, confirmed=False)


@refusals_audited("second_factor_on", object_type="user", of="user_id")
def confirm_factor(user_id: int, *, code: str, actor: str) -> TOTPDevice:
    """Ask for codes of the key that was begun from now on, in place of any other.

    Parameters
    ----------
    user_id : int
        Whose it is.
    code : str
        What the authenticator shows.
    actor : str
        Who does it, as the audit names people.

    Returns
    -------
    TOTPDevice
        Confirmed.

    Raises
    ------
    WrongCodeError
        If the code is not of this key, or nothing was begun.
    """
    with transaction.atomic(durable=True):
        device = _locked(user_id, confirmed=False)
        right = device is not None and _right(device, code)
        if device and right:
            TOTPDevice.objects.filter(user_id=user_id, confirmed=True).delete()
            device.confirmed = True
            device.save(update_fields=["confirmed"])
            record_audit(
                actor=actor, action="second_factor_on", object_type="user", object_id=device.user.get_username()
            )
    # Left first: a try that failed is counted.
    if not device or not right:
        raise WrongCodeError("the code is not the one shown for this key: scan it again and type the newest code")
    return device


def check_code(user_id: int, code: str) -> None:
    """Check the code of whoever has a second factor; each code is taken once.

    Parameters
    ----------
    user_id : int
        Who signs in.
    code : str
        What was typed.

    Raises
    ------
    WrongCodeError
        If it is not the code of now, was used before, or comes too soon after a wrong one.
    """
    with transaction.atomic(durable=True):
        device = _locked(user_id, confirmed=True)
        right = device is None or _right(device, code)
    if not right:
        raise WrongCodeError(
            "the code of your second factor is not right, was used before, or comes too soon after a wrong one: "
            "wait for the next one"
        )


@refusals_audited("second_factor_off", object_type="user", of="user_id")
def drop_factor(user_id: int, *, code: str, actor: str) -> None:
    """Ask for no codes any more.

    Parameters
    ----------
    user_id : int
        Whose factor it is.
    code : str
        What the authenticator shows, so that a window left open is not enough.
    actor : str
        Who does it, as the audit names people.

    Raises
    ------
    WrongCodeError
        If the code is not right.
    """
    check_code(user_id, code)
    with transaction.atomic(durable=True):
        name = User.objects.get(pk=user_id).get_username()
        TOTPDevice.objects.filter(user_id=user_id).delete()
        record_audit(actor=actor, action="second_factor_off", object_type="user", object_id=name)


def _locked(user_id: int, *, confirmed: bool) -> TOTPDevice | None:
    found: TOTPDevice | None = (
        TOTPDevice.objects.select_for_update().filter(user_id=user_id, confirmed=confirmed).first()
    )
    return found


def _right(device: TOTPDevice, code: str) -> bool:
    # Digits alone, as authenticators show them; some put a space in the middle.
    digits = "".join(code.split())
    plain = digits.isascii() and digits.isdecimal() and len(digits) == device.digits
    allowed, _ = device.verify_is_allowed()
    return bool(allowed and plain and device.verify_token(digits))
