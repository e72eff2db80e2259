"""Valid values of the environment, and the refusal of wrong ones."""

import re

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from config.environment import Environment, read_environment
from tests.variables import GOOD_KEY, VARIABLES


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, "dev"), ("", "dev"), ("  ", "dev"), ("dev", "dev"), (" PROD ", "prod")],
)
def test_choice(value, expected):
    env = Environment({"DJANGO_ENV": value})
    assert env.choice("DJANGO_ENV", ("dev", "prod"), default="dev") == expected


def test_unknown_choice_is_refused_by_name():
    env = Environment({"DJANGO_ENV": "production"})
    with pytest.raises(
        ImproperlyConfigured,
        match=r"^`DJANGO_ENV`: unknown value `production`, expected `dev` or `prod`$",
    ):
        env.choice("DJANGO_ENV", ("dev", "prod"), default="dev")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((value, True) for value in ("1", "true", "YES", " on ")),
        *((value, False) for value in ("0", "False", "no", "off")),
    ],
)
def test_flag(value, expected):
    assert Environment({"FLAG": value}).flag("FLAG", default=not expected) is expected


@pytest.mark.parametrize("default", [True, False])
def test_empty_flag_is_the_default(default):
    assert Environment({"FLAG": " "}).flag("FLAG", default=default) is default


def test_unknown_flag_is_refused_by_name():
    with pytest.raises(ImproperlyConfigured, match="`FLAG`: unknown value `maybe`"):
        Environment({"FLAG": "maybe"}).flag("FLAG", default=True)


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("", "is not set"),
        ("too-short", "is shorter than 50 characters"),
        ("abcd" * 20, "has fewer than 5 different characters"),
        ("django-insecure-" + GOOD_KEY, "starts with `django-insecure-`"),
    ],
)
def test_weak_key_is_refused_in_prod_and_never_shown(key, problem):
    env = Environment({"DJANGO_SECRET_KEY": key})
    with pytest.raises(ImproperlyConfigured) as error:
        env.secret_key("DJANGO_SECRET_KEY", production=True)
    assert f"`DJANGO_SECRET_KEY` {problem}; in prod set it to 50" in str(error.value)
    assert not key or key not in str(error.value)


def test_good_key_is_taken():
    env = Environment({"DJANGO_SECRET_KEY": GOOD_KEY})
    assert env.secret_key("DJANGO_SECRET_KEY", production=True) == GOOD_KEY


def test_dev_takes_any_key_and_makes_one_up():
    weak = Environment({"DJANGO_SECRET_KEY": "weak"})
    assert weak.secret_key("DJANGO_SECRET_KEY", production=False) == "weak"
    made_up = {Environment({}).secret_key("DJANGO_SECRET_KEY", production=False) for _ in range(2)}
    assert len(made_up) == 2


def test_allowed_hosts():
    env = Environment({"DJANGO_ALLOWED_HOSTS": " a.example.org, ,b.example.org "})
    hosts = env.allowed_hosts("DJANGO_ALLOWED_HOSTS", production=True)
    assert hosts == ["a.example.org", "b.example.org"]


def test_no_hosts_are_this_machine_in_dev_and_refused_in_prod():
    env = Environment({"DJANGO_ALLOWED_HOSTS": " , "})
    assert "localhost" in env.allowed_hosts("DJANGO_ALLOWED_HOSTS", production=False)
    with pytest.raises(ImproperlyConfigured, match="`DJANGO_ALLOWED_HOSTS` is empty"):
        env.allowed_hosts("DJANGO_ALLOWED_HOSTS", production=True)


def test_networks():
    env = Environment({"TRUSTED_PROXIES": " 10.0.0.5, 10.1.0.0/16 ,,fd00::/8,2001:db8::1 "})
    networks = [str(network) for network in env.networks("TRUSTED_PROXIES")]
    assert networks == ["10.0.0.5/32", "10.1.0.0/16", "fd00::/8", "2001:db8::1/128"]


def test_no_proxy_is_trusted_by_default():
    assert Environment({"TRUSTED_PROXIES": " "}).networks("TRUSTED_PROXIES") == []
    assert settings.TRUSTED_PROXIES == []


@pytest.mark.parametrize(
    "word",
    [
        *("*", "all", "localhost", "proxy.example.org", "1", "10.1", "10.0.0.300", "10.0.0.01"),
        *("10.0.0.0/33", "10.0.0.0/", "/8", "10.0.0.0/-1", "10.0.0.1:443", "10.0.0.1 10.0.0.2"),
        # HAProxy would take these, but for other ones than the operator means.
        *("10.0.0.0/0.0.0.255", "#10.0.0.1", "10.0.0.0/255.0.0.0"),
        *("[::1]", "fd00::/129", "fe80::1%eth0", ":::", "-m found"),
    ],
)
def test_anything_but_an_address_or_a_network_is_refused_by_name(word):
    with pytest.raises(ImproperlyConfigured) as error:
        Environment({"TRUSTED_PROXIES": f"10.0.0.5,{word}"}).networks("TRUSTED_PROXIES")
    assert str(error.value) == (
        f"`TRUSTED_PROXIES`: `{word}` is neither an IP address nor a network such as `10.1.0.0/16`"
    )


@pytest.mark.parametrize(
    ("word", "address", "network"),
    [
        ("10.0.0.5/8", "10.0.0.5", "10.0.0.0/8"),
        ("2001:db8::1/64", "2001:db8::1", "2001:db8::/64"),
    ],
)
def test_address_with_a_prefix_is_refused_with_both_meanings(word, address, network):
    with pytest.raises(ImproperlyConfigured) as error:
        Environment({"TRUSTED_PROXIES": word}).networks("TRUSTED_PROXIES")
    assert str(error.value).endswith(
        f"is an address in a network, expected `{address}` or `{network}`"
    )


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    monkeypatch.delenv("MONITORING_TOKEN")
    (tmp_path / "service").mkdir()
    return tmp_path


def test_dotenv_of_the_checkout_is_read(checkout):
    (checkout / ".env").write_text("MONITORING_TOKEN='from the file'\n")
    assert read_environment(checkout / "service")["MONITORING_TOKEN"] == "from the file"


def test_dotenv_of_a_service_that_is_its_own_project_is_read(checkout):
    (checkout / "service" / ".env").write_text("MONITORING_TOKEN=own\n")
    assert read_environment(checkout / "service")["MONITORING_TOKEN"] == "own"


@pytest.mark.parametrize("value", ["from the environment", ""])
def test_environment_wins_over_dotenv(checkout, monkeypatch, value):
    (checkout / ".env").write_text("MONITORING_TOKEN=file\n")
    monkeypatch.setenv("MONITORING_TOKEN", value)
    assert read_environment(checkout / "service")["MONITORING_TOKEN"] == value


def test_no_dotenv_is_no_error(checkout):
    assert "MONITORING_TOKEN" not in read_environment(checkout / "service")


def test_tests_know_every_variable():
    text = (settings.BASE_DIR / "config" / "settings.py").read_text()
    assert set(re.findall(r'env\.\w+\(\s*"(\w+)"', text)) == set(VARIABLES)


def test_sample_lists_every_variable():
    text = (settings.BASE_DIR.parent / ".env.sample").read_text()
    # In a line of its own, which `install` copies, or in the comment on those that few need.
    assert set(VARIABLES) <= set(re.findall(r"^\w+(?==)|\b[A-Z_]+(?= \()", text, re.MULTILINE))
