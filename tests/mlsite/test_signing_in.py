"""Signing in to the console: tries are limited, and a second factor is asked of whoever has one."""

import base64
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from mlsite.signing_in import qr_code
from models_store.models import AuditEntry

# Tries are counted in the run-time folder.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("var_dir")]
LOGIN = "/admin/login/?next=/admin/"
FACTOR = "/admin/second-factor/"


@pytest.fixture
def ada() -> User:
    return User.objects.create_superuser("ada", password="correct horse")


def change(monkeypatch: pytest.MonkeyPatch, **values: Any) -> None:
    config = settings.CONFIG
    security = config.security.model_copy(update={k: v for k, v in values.items() if k == "second_factor"})
    rest = {name: value for name, value in values.items() if name != "second_factor"}
    monkeypatch.setattr(settings, "CONFIG", config.model_copy(update={"security": security, **rest}))


def sign_in(name: str = "ada", password: str = "correct horse", code: str = "", address: str = "10.0.0.1") -> Any:
    return Client().post(LOGIN, {"username": name, "password": password, "code": code}, REMOTE_ADDR=address)


def said(answer: Any) -> str:
    return " ".join(answer.context["form"].non_field_errors())


def code_of(device: TOTPDevice, step: int = 0) -> str:
    """Return the code an authenticator shows, some steps of 30 seconds from now."""
    totp = TOTP(device.bin_key, device.step, device.t0, device.digits)
    totp.time = time.time() + step * device.step
    return f"{totp.token():06}"


def set_up(client: Client) -> TOTPDevice:
    client.post(FACTOR, {"begin": "1"})
    device = TOTPDevice.objects.get(confirmed=False)
    answer = client.post(FACTOR, {"confirm": "1", "code": code_of(device, -1)})
    assert answer.status_code == 302
    device.refresh_from_db()
    return device


def test_looking_at_the_page_makes_no_key(ada: User, client: Client) -> None:
    client.force_login(ada)
    assert "Set up" in client.get(FACTOR, {"begin": "1"}).content.decode()
    assert not TOTPDevice.objects.exists()


def test_code_is_asked_of_who_has_a_second_factor_and_taken_once(ada: User, client: Client) -> None:
    assert sign_in().status_code == 302
    client.force_login(ada)
    device = set_up(client)
    assert "second factor is not right" in said(sign_in())
    right = code_of(device)
    assert "second factor is not right" in said(sign_in(code="٣٣٣٣٣٣"))
    assert sign_in(code=f"{right[:3]} {right[3:]}").status_code == 302
    assert "was used before" in said(sign_in(code=right))
    assert list(AuditEntry.objects.values_list("action", "object_id")) == [("second_factor_on", "ada")]


def test_wrong_codes_make_the_next_one_wait(ada: User, client: Client) -> None:
    client.force_login(ada)
    device = set_up(client)
    wrong = "000000" if code_of(device) != "000000" else "111111"
    for _ in range(2):
        sign_in(code=wrong)
    assert "too soon after a wrong one" in said(sign_in(code=code_of(device)))


def test_wrong_code_neither_confirms_nor_drops(ada: User, client: Client) -> None:
    client.force_login(ada)
    begun = client.post(FACTOR, {"begin": "1"}).content.decode()
    assert "otpauth://totp/" in begun
    assert client.post(FACTOR, {"confirm": "1", "code": "x"}).status_code == 200
    assert not TOTPDevice.objects.filter(confirmed=True).exists()
    device = set_up(client)
    client.post(FACTOR, {"drop": "1", "code": "12"})
    assert TOTPDevice.objects.filter(confirmed=True).exists()
    client.post(FACTOR, {"drop": "1", "code": code_of(device)})
    assert not TOTPDevice.objects.exists()
    assert AuditEntry.objects.filter(action="second_factor_off").exists()


def test_key_is_drawn_in_the_page_and_shown_to_nobody_else(ada: User, client: Client) -> None:
    client.force_login(ada)
    begun = client.post(FACTOR, {"begin": "1"})
    key = TOTPDevice.objects.get().bin_key
    said = parse_qs(urlsplit(begun.context["address"]).query)
    assert base64.b32decode(said["secret"][0] + "=" * (-len(said["secret"][0]) % 8)) == key
    picture = qr_code(begun.context["address"])
    assert picture in begun.content.decode()
    assert picture != qr_code(begun.context["address"].replace("ada", "eve"))
    assert "://" not in picture
    # Shown once: whoever opens the page later sees no key.
    assert "c-qr" not in client.get(FACTOR).content.decode()


def test_required_factor_is_set_up_before_anything_else(
    ada: User, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(monkeypatch, second_factor="required")
    client.force_login(ada)
    assert client.get("/admin/")["Location"] == FACTOR
    assert "set yours up to go on" in client.get(FACTOR).content.decode()
    set_up(client)
    assert client.get("/admin/").status_code == 200


def test_no_code_is_asked_where_it_is_off(ada: User, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    client.force_login(ada)
    set_up(client)
    change(monkeypatch, second_factor="off")
    assert 'name="code"' not in Client().get(LOGIN).content.decode()
    assert sign_in().status_code == 302


def test_lost_factor_is_deleted_by_a_superuser_who_never_sees_the_key(ada: User, client: Client) -> None:
    client.force_login(ada)
    device = set_up(client)
    address = reverse("admin:otp_totp_totpdevice_change", args=[device.pk])
    assert device.key not in client.get(address).content.decode()
    client.post(reverse("admin:otp_totp_totpdevice_delete", args=[device.pk]), {"post": "yes"})
    assert not TOTPDevice.objects.exists()
    eve = Client()
    eve.force_login(User.objects.create_user("eve", is_staff=True))
    assert eve.get(reverse("admin:otp_totp_totpdevice_changelist")).status_code == 403
