"""What a door refuses before any action is asked: said here, kept in the audit by whoever listens."""

from django.dispatch import Signal

refused_at_the_door = Signal()
"""Sent with `request` and `why` where a filled form can't be used."""
