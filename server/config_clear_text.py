"""Tells of credentials that would travel in clear text: by plain http, and farther than this machine and the network around it."""

from collections.abc import Iterator
from ipaddress import IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit

from server.config_values import urls_in
from vendors.registry import VendorSettings

# Names that no public name server answers for. Source: RFC 6761 (localhost), RFC 6762 (local), RFC 8375 (home.arpa); ICANN, resolution
# 2024.07.29.06 (internal).
_LOCAL_NAMES: Final = (".localhost", ".local", ".home.arpa", ".internal")


def clear_text_warning(settings: VendorSettings) -> str | None:
    """What to say of a Crm whose credentials others can read on the way; None when they cannot. It quotes hosts, and no path."""
    hosts = sorted(set(_clear_text_hosts(settings)))
    if not hosts:
        return None
    return (
        f"credentials travel to {', '.join(hosts)} in clear text, since its URL begins with http://; use https://,"
        " or put a proxy near the CRM that terminates TLS"
    )


def _clear_text_hosts(settings: VendorSettings) -> Iterator[str]:
    for url in {settings.origin, *urls_in(settings.model_dump())}:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme == "http" and not _is_near(host):
            yield host


def _is_near(host: str) -> bool:
    """Whether a host is this machine or one of the network around it, told from its name or address alone."""
    try:
        address = ip_address(host)
    except ValueError:
        name = host.rstrip(".")
        return "." not in name or name.endswith(_LOCAL_NAMES)  # containers have names without dots
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_private
    return address.is_private
