"""`crmgraph webhooks`: where a Crm's vendor sends what happens, as the vendor has it registered."""

import asyncio
import os
import random
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from server.changes.webhooks import PATH
from server.commands.terminal import say, table
from server.config import Config, load_config
from server.config_secrets import is_loopback
from server.crms import connect_crms, open_session
from server.http.guard import is_own_host
from server.observe import configure_logging
from vendors.calls import Deadline, deadline_scope
from vendors.changes import RegistersWebhooks, Webhook
from vendors.errors import ConfigError, UnsupportedError, VendorError
from vendors.registry import Crm

_SECONDS: Final = 30.0


def run(arguments: Namespace) -> int:
    """Show, register or remove: 0 when that worked, 1 otherwise."""
    config = load_config(arguments.config, os.environ)
    configure_logging(level="error", secrets=config.secrets())  # what failed is told
    key: str = arguments.crm
    if key not in config.crms:
        raise ConfigError(f"--crm: {arguments.config} has no CRM {key!r}; it has {', '.join(config.crms)}")
    url = None if arguments.url is None else webhook_url(arguments.url, key)
    if url is None and (arguments.action == "register" or (arguments.action == "remove" and arguments.id is None)):
        or_id = ", or --id which webhook" if arguments.action == "remove" else ""
        raise ConfigError(f"--url: say where the vendor reaches this server, such as https://crm.example.com{or_id}")
    try:
        return asyncio.run(carry_out(config, key, arguments.action, url=url, local_id=arguments.id))
    except VendorError as error:
        return _failed(f"crms.{key}: {error.message} ({error.code})")


def webhook_url(public: str, crm: str) -> str:
    """Where a Crm's vendor delivers to.

    Raises:
        ConfigError: It is no address that webhooks may be sent to.
    """
    try:
        parts = urlsplit(public)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    if host is None or parts.scheme not in {"http", "https"} or parts.query or parts.fragment or parts.username is not None:
        raise ConfigError("--url: must be an address such as https://crm.example.com, without query and fragment")
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigError("--url: must begin with https://, or everybody on the way reads what the vendor sends; http is for loopback only")
    path = parts.path.rstrip("/").removesuffix(f"{PATH}/{crm}")  # whoever names the whole address means the same
    return f"{parts.scheme}://{parts.netloc}{path}{PATH}/{crm}"


async def carry_out(config: Config, key: str, action: str, *, url: str | None = None, local_id: str | None = None) -> int:
    """Show, register or remove the webhooks of a Crm: 0 when that worked, 1 otherwise.

    Raises:
        VendorError: The vendor refuses, is away, or has no webhooks.
    """
    async with open_session() as session:
        crm = connect_crms(config, session, clock=time.monotonic, sleep=asyncio.sleep, jitter=random.random)[key]
        client = _registrar(crm)
        with deadline_scope(Deadline(time.monotonic() + _SECONDS, time.monotonic)):
            if url is not None and action == "register":
                return await _register(client, url, config, crm)
            found = await client.webhooks()
            if action == "remove":
                return await _remove(client, found, url, local_id)
            say(_shown(found) if found else f"The vendor of {key!r} has no webhooks registered.")
            return 0


def _registrar(crm: Crm) -> RegistersWebhooks:
    if isinstance(crm.client, RegistersWebhooks):
        return crm.client
    raise UnsupportedError(
        f"{crm.vendor.label} cannot be told where to send what happens to opportunities; the CRM {crm.key!r} is watched without webhooks.",
        crm=crm.key,
    )


async def _register(client: RegistersWebhooks, url: str, config: Config, crm: Crm) -> int:
    known = [webhook for webhook in await client.webhooks() if webhook.url == url and webhook.is_enabled and webhook.note is None]
    webhook = known[0] if known else await client.register_webhook(url)
    say("It is registered already." if known else "It is registered.")
    say(_shown([webhook]))
    for advice in _advice(config, url):
        say(advice)
    return 0 if webhook.is_enabled else _failed(f"crms.{crm.key}: the vendor does not send anything there as long as it is not enabled")


async def _remove(client: RegistersWebhooks, found: Sequence[Webhook], url: str | None, local_id: str | None) -> int:
    chosen = [webhook for webhook in found if (webhook.url == url if local_id is None else webhook.local_id == local_id)]
    if not chosen:
        return _failed(f"no webhook is registered with {f'the URL {url}' if local_id is None else f'the id {local_id!r}'}")
    for webhook in chosen:
        await client.remove_webhook(webhook.local_id)
        say(f"The webhook {webhook.local_id} for {webhook.url} is removed.")
    return 0


def _advice(config: Config, url: str) -> list[str]:
    """What the server's settings lack for deliveries to arrive."""
    host = urlsplit(url).hostname or ""
    advice: list[str] = []
    if not is_own_host(host, listening_at=config.http.host, allowed=config.http.allowed_hosts):
        hosts = ", ".join(f'"{name}"' for name in (*config.http.allowed_hosts, host))
        advice.append(f"The server does not answer for this host yet. Set in [server]: allowed_hosts = [{hosts}]")
    if not config.changes.enabled:
        advice.append("The server takes no webhooks: set enabled = true in [changes].")
    return advice


def _shown(webhooks: Sequence[Webhook]) -> str:
    rows = [[it.local_id, it.url, "yes" if it.is_enabled else "no", ", ".join(it.events)] for it in webhooks]
    notes = [f"{it.local_id}: {it.note}" for it in webhooks if it.note is not None]
    return "\n".join([table([["Id", "URL", "Enabled", "Events"], *rows]), *notes])


def _failed(text: str) -> int:
    sys.stderr.write(f"crmgraph: {text}\n")
    return 1
