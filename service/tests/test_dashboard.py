"""The page: its visitors, and its charts."""

import re

import pytest
from django.contrib.staticfiles import finders

from monitoring.charts import charts_by_host
from monitoring.models import Sample
from tests.variables import TOKEN

pytestmark = pytest.mark.django_db


def test_no_sample(client):
    page = client.get("/").content.decode()
    assert "No samples yet" in page
    assert "<svg" not in page


def test_one_sample(client, take_samples):
    take_samples(12.34)
    page = client.get("/").content.decode()
    assert page.count("<svg") == 3
    assert "CPU of web-1: 12.3 % now, between 12.3 % and 12.3 %" in page
    assert "1 sample since 2026-01-01 00:00," in page


def test_many_samples(client, take_samples):
    take_samples(*range(0, 100, 10))
    page = client.get("/").content.decode()
    assert page.count("<svg") == page.count("<title>") - 1 == 3
    assert "10 samples since 2026-01-01 00:00," in page
    cpu = re.search(r'<polyline class="line" points="([^"]*)"', page)[1]
    assert cpu.startswith("0,80 33.3,72 ")
    assert cpu.endswith(" 300,8")


def test_only_the_latest_samples_are_drawn(client, take_samples):
    take_samples(*[1] * 130)
    assert "120 samples since " in client.get("/").content.decode()


def test_name_of_a_host_is_escaped(client, take_samples):
    take_samples(1, host="<script>")
    assert "<script>" not in client.get("/").content.decode()


def test_only_script_is_the_refresh_of_this_site(client, take_samples):
    take_samples(1, 2)
    page = client.get("/").content.decode()
    assert re.findall(r"<script[^>]*>", page) == [
        '<script src="/static/monitoring/refresh.js" defer>'
    ]
    assert finders.find("monitoring/refresh.js")
    assert not re.search(r"<img|https?://|url\(|\son\w+=", page)


def test_page_without_script_refreshes_as_a_whole(client):
    page = client.get("/").content.decode()
    assert '<noscript><meta http-equiv="refresh" content="60"></noscript>' in page


def test_admin_is_linked(client):
    assert '<a href="/admin/">' in client.get("/").content.decode()


def test_head(client):
    response = client.head("/")
    assert (response.status_code, response.content) == (200, b"")


def test_hosts_are_drawn_apart_newest_first(take_samples):
    take_samples(1, 2, host="old")
    take_samples(1, 2, 3, host="new")
    hosts = charts_by_host(Sample.objects.all())
    assert [(host.host, host.count) for host in hosts] == [("new", 3), ("old", 2)]


def test_chart_stays_within_its_frame(take_samples):
    (host,) = charts_by_host(take_samples(-5, 250)[::-1])
    assert host.charts[0].points == [(0, 80), (300, 0)]


@pytest.mark.usefixtures("production")
class TestInProduction:
    @pytest.mark.parametrize("authorization", ["", "Bearer wrong"])
    def test_anonymous_is_sent_to_the_login(self, client, authorization):
        response = client.get("/", headers={"authorization": authorization})
        assert (response.status_code, response["Location"]) == (302, "/admin/login/?next=/")

    def test_login_page_is_there(self, client):
        assert client.get("/admin/login/").status_code == 200

    def test_token(self, client):
        response = client.get("/", headers={"authorization": f"Bearer {TOKEN}"})
        assert response.status_code == 200

    def test_staff(self, admin_client):
        assert admin_client.get("/").status_code == 200

    def test_user_who_is_not_staff(self, client, django_user_model):
        client.force_login(django_user_model.objects.create_user("visitor"))
        assert client.get("/").status_code == 302


def test_admin_shows_samples_but_does_not_invent_them(admin_client, take_samples):
    (sample,) = take_samples(1)
    assert admin_client.get("/admin/monitoring/sample/").status_code == 200
    assert admin_client.get("/admin/monitoring/sample/add/").status_code == 403
    page = admin_client.get(f"/admin/monitoring/sample/{sample.pk}/change/").content.decode()
    assert 'name="_save"' not in page
