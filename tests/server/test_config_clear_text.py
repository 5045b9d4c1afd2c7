"""Which URLs of a Crm are warned of, because credentials would travel to them in clear text."""

import pytest

from server.config_clear_text import clear_text_warning
from vendors.registry import VendorSettings


class DeskSettings(VendorSettings):
    base_url: str
    further_origins: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        return self.base_url if "://" in self.base_url else f"https://{self.base_url}"


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://crm.example", "crm.example"),
        ("HTTP://CRM.example.:8080/path", "crm.example."),
        ("http://localhost.example", "localhost.example"),
        ("http://8.8.8.8", "8.8.8.8"),
        ("http://[2606:4700::1111]:80", "2606:4700::1111"),
        ("http://[::ffff:8.8.8.8]", "::ffff:8.8.8.8"),
    ],
)
def test_plain_http_to_a_host_that_is_far_is_warned_of_with_that_host(url: str, host: str) -> None:
    warning = clear_text_warning(DeskSettings(base_url=url))

    assert warning is not None
    assert warning.startswith(f"credentials travel to {host} in clear text")
    assert "path" not in warning


@pytest.mark.parametrize(
    "url",
    [
        "https://crm.example",
        "crm.example/http://",
        "http://localhost:8101",
        "http://127.0.0.1",
        "http://127.9.9.9",
        "http://[::1]:1",
        "http://[::ffff:127.0.0.1]",
        "http://10.1.2.3",
        "http://172.16.0.1",
        "http://192.168.1.1:8080",
        "http://169.254.1.1",
        "http://[fd00::1]",
        "http://[fe80::1]",
        "http://crm",
        "http://crm_1:80/api",
        "http://crm.apps.svc.cluster.local",
        "http://crm.internal",
    ],
)
def test_tls_and_what_is_near_are_not_warned_of(url: str) -> None:
    assert clear_text_warning(DeskSettings(base_url=url)) is None


def test_all_places_that_credentials_may_be_sent_to_are_looked_at() -> None:
    origins = ("http://b.example", "https://c.example", "http://a.example", "http://10.0.0.1")

    warning = clear_text_warning(DeskSettings(base_url="https://crm.example", further_origins=origins))

    assert warning is not None
    assert warning.startswith("credentials travel to a.example, b.example in clear text")
