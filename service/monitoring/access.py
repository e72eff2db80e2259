"""The users who may see and request samples in prod. In dev every user may."""

from django.conf import settings
from django.utils.crypto import constant_time_compare


def is_open() -> bool:
    return not settings.PRODUCTION


def has_token(request) -> bool:
    """Returns whether the request has `MONITORING_TOKEN`. An unset token admits no request."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    expected = settings.MONITORING_TOKEN
    return (
        bool(expected)
        and scheme.lower() == "bearer"
        and constant_time_compare(token.strip(), expected)
    )


def is_staff(request) -> bool:
    return request.user.is_active and request.user.is_staff
