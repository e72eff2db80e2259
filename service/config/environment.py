"""Reads settings from the environment and refuses, by name, what cannot be right.

No message ever holds a value that may be secret.
"""

import os
import re
import secrets
from ipaddress import IPv4Network, IPv6Network, ip_interface
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from dotenv import dotenv_values

DEV, PROD = "dev", "prod"

FLAGS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}

# The rules of `manage.py check --deploy` (security.W009). There they are a warning; in prod we
# don't start with less.
KEY_LENGTH = 50
KEY_DISTINCT_CHARACTERS = 5
INSECURE_PREFIX = "django-insecure-"

# Digits of a number: as seconds or days, more is a mistake.
NUMBER_LENGTH = 6

# What Python and HAProxy parse alike: neither a netmask nor a zone.
NETWORK = re.compile(r"[0-9A-Fa-f.:]+(/[0-9]+)?")


def read_environment(service_dir: Path) -> dict[str, str]:
    """The process environment over the project's `.env`, if there is one.

    The project is the checkout around the service, or the service's own folder where that was
    checked out alone. A deployed release has no `.env`: there the environment is all.
    """
    candidates = (service_dir / ".env", service_dir.parent / ".env")
    dotenv = next((path for path in candidates if path.is_file()), None)
    values = dotenv_values(dotenv) if dotenv else {}
    return {**values, **os.environ}


class Environment:
    """Typed look-ups. An empty value is an unset one: `.env.sample` lists every name that way."""

    def __init__(self, values: dict[str, str | None]):
        self._values = values

    def text(self, name: str, default: str = "") -> str:
        return (self._values.get(name) or "").strip() or default

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        value = self.text(name, default)
        if value.lower() not in choices:
            expected = " or ".join(f"`{choice}`" for choice in choices)
            raise ImproperlyConfigured(f"`{name}`: unknown value `{value}`, expected {expected}")
        return value.lower()

    def flag(self, name: str, default: bool) -> bool:
        value = self.text(name).lower()
        if not value:
            return default
        if value not in FLAGS:
            raise ImproperlyConfigured(f"`{name}`: unknown value `{value}`, expected `1` or `0`")
        return FLAGS[value]

    def number(self, name: str, default: int) -> int:
        value = self.text(name, str(default))
        # `int` alone would take signs, underscores and digits of other scripts.
        if not (value.isascii() and value.isdigit() and len(value) <= NUMBER_LENGTH):
            raise ImproperlyConfigured(
                f"`{name}`: `{value}` is not a whole number from 0 to {'9' * NUMBER_LENGTH}"
            )
        return int(value)

    def words(self, name: str) -> list[str]:
        return [word.strip() for word in self.text(name).split(",") if word.strip()]

    def networks(self, name: str) -> list[IPv4Network | IPv6Network]:
        """IP addresses and networks. An address is a network of its own."""
        return [network(name, word) for word in self.words(name)]

    def secret_key(self, name: str, *, production: bool) -> str:
        key = self.text(name)
        if not production:
            # A throw-away key: sessions end with the process, and it cannot be deployed by mistake.
            return key or secrets.token_urlsafe(KEY_LENGTH)
        problem = secret_key_problem(key)
        if problem:
            raise ImproperlyConfigured(
                f"`{name}` {problem}; in prod set it to {KEY_LENGTH} or more random characters"
            )
        return key

    def allowed_hosts(self, name: str, *, production: bool) -> list[str]:
        hosts = self.words(name)
        if production and not hosts:
            raise ImproperlyConfigured(
                f"`{name}` is empty; in prod set it to the host names that the service answers "
                "to, separated by commas"
            )
        return hosts or ["localhost", "127.0.0.1", "[::1]"]


def network(name: str, word: str) -> IPv4Network | IPv6Network:
    try:
        interface = ip_interface(word) if NETWORK.fullmatch(word) else None
    except ValueError:
        interface = None
    if interface is None:
        raise ImproperlyConfigured(
            f"`{name}`: `{word}` is neither an IP address nor a network such as `10.1.0.0/16`"
        )
    if interface.ip != interface.network.network_address:
        raise ImproperlyConfigured(
            f"`{name}`: `{word}` is an address in a network, expected "
            f"`{interface.ip}` or `{interface.network}`"
        )
    return interface.network


def secret_key_problem(key: str) -> str | None:
    """Returns the problem of a key that would sign production sessions."""
    if not key:
        return "is not set"
    if key.startswith(INSECURE_PREFIX):
        return f"starts with `{INSECURE_PREFIX}`"
    if len(key) < KEY_LENGTH:
        return f"is shorter than {KEY_LENGTH} characters"
    if len(set(key)) < KEY_DISTINCT_CHARACTERS:
        return f"has fewer than {KEY_DISTINCT_CHARACTERS} different characters"
    return None
