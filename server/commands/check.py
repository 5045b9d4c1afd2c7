"""`crmgraph check`: connects to every configured Crm and shows what works."""

import asyncio
import logging
import os
import random
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from urllib.parse import urlsplit

import aiohttp

from resolvers.errors import contained
from resolvers.writing.correlation import mistake_in
from server.commands.terminal import say, table
from server.config import Config, load_config
from server.config_clear_text import clear_text_warning
from server.crms import connect_crms, open_session
from server.observe import configure_logging
from vendors.calls import Deadline, VendorCall, deadline_scope, recording
from vendors.capabilities import Checks, EntityCheck, ReadsCustomFieldDefinitions
from vendors.errors import CredentialsError, MalformedReplyError, PermissionDeniedError, UnavailableError, UnsupportedError, VendorError
from vendors.health import behind, network_reason
from vendors.registry import Crm

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the check of one Crm found.

    Args:
        crm: The Crm.
        origin: Where it is, by its settings.
        checks: What was found entity by entity; none when nothing could be read.
        error: Why nothing could be read.
        mistake: What is wrong with its setting `correlation_field`, as far as the vendor tells.
        warning: What works and yet should be mended.
        calls: The calls that were made.
    """

    crm: Crm
    origin: str
    checks: Sequence[EntityCheck] = ()
    error: VendorError | None = None
    mistake: str | None = None
    warning: str | None = None
    calls: Sequence[VendorCall] = ()

    def failures(self) -> Mapping[str, list[str]]:
        """What failed: each message with the entities it is about, none where it is about the Crm as a whole."""
        found: dict[str, list[str]] = {} if self.error is None else {_told(self.error, self.origin): []}
        for check in self.checks:
            if check.error is not None and not isinstance(check.error, UnsupportedError):
                found.setdefault(_told(check.error, self.origin), []).append(check.entity)
        return found


def run(arguments: Namespace) -> int:
    """Check every Crm: 0 when all of it works, 1 otherwise."""
    config = load_config(arguments.config, os.environ)
    configure_logging(level="error", secrets=config.secrets())  # what failed is in the table
    findings = asyncio.run(find(config, timeout_seconds=arguments.timeout))
    say(report(findings))
    return 1 if any(finding.failures() or finding.mistake for finding in findings) else 0


async def find(config: Config, *, timeout_seconds: float) -> Sequence[Finding]:
    """Check all Crms at once, in the configuration's order."""
    async with open_session() as session:
        crms = connect_crms(config, session, clock=time.monotonic, sleep=asyncio.sleep, jitter=random.random)
        findings = await asyncio.gather(*(_find(crm, config.crms[key].settings.origin, timeout_seconds) for key, crm in crms.items()))
    return [replace(finding, warning=clear_text_warning(config.crms[finding.crm.key].settings)) for finding in findings]


def report(findings: Sequence[Finding]) -> str:
    """A table with a row per Crm, and a line per failure and warning."""
    rows = [["CRM", "Vendor", "Reachable", "Credentials", "Latency", "Entities"], *map(_row, findings)]
    lines = [
        f"crms.{finding.crm.key}{_about(entities)}: {message}" for finding in findings for message, entities in finding.failures().items()
    ]
    lines += [f"crms.{finding.crm.key}.correlation_field: {finding.mistake}" for finding in findings if finding.mistake is not None]
    lines += [f"crms.{finding.crm.key}: warning: {finding.warning}" for finding in findings if finding.warning is not None]
    return "\n".join([table(rows), *([""] if lines else []), *lines])


async def _find(crm: Crm, origin: str, timeout_seconds: float) -> Finding:
    if not isinstance(crm.client, Checks):
        return Finding(
            crm=crm, origin=origin, error=UnsupportedError("The adapter of this vendor cannot check its credentials.", crm=crm.key)
        )
    with recording() as recorder, deadline_scope(Deadline(time.monotonic() + timeout_seconds, time.monotonic)):
        try:
            checks = [*await crm.client.check()]
            mistake = await _mistake(crm, checks)
        except VendorError as error:
            return Finding(crm=crm, origin=origin, error=error, calls=recorder.calls)
        except Exception as defect:  # noqa: BLE001  # of one Crm's adapter; the others are still to be told of
            return Finding(crm=crm, origin=origin, error=contained(defect, crm=crm.key), calls=recorder.calls)
    finding = Finding(crm=crm, origin=origin, checks=checks, mistake=mistake, calls=recorder.calls)
    return replace(finding, checks=(), error=checks[0].error) if _fails_as_a_whole(finding) else finding


def _fails_as_a_whole(finding: Finding) -> bool:
    """Whether every entity fails for the same reason, so that the entities need not be told."""
    return [len(entities) for entities in finding.failures().values()] == [len(finding.checks)]


async def _mistake(crm: Crm, checks: list[EntityCheck]) -> str | None:
    """What is wrong with the correlation field, where there is one and the vendor lists its custom fields."""
    if crm.correlation_field is None or not isinstance(crm.client, ReadsCustomFieldDefinitions):
        return None
    try:
        return mistake_in(crm.correlation_field, await crm.client.custom_field_definitions())
    except VendorError as error:
        checks.append(EntityCheck(entity="custom fields", error=error))
        return None


def _row(finding: Finding) -> list[str]:
    answered = [call.seconds for call in finding.calls if call.status is not None]
    return [
        finding.crm.key,
        finding.crm.vendor.key,
        "yes" if answered else "no" if finding.calls else "unknown",
        _credentials(finding),
        f"{median(answered) * 1000:.0f} ms" if answered else "-",
        _entities(finding.checks),
    ]


def _credentials(finding: Finding) -> str:
    errors = [check.error for check in finding.checks] if finding.error is None else [finding.error]
    if any(isinstance(error, CredentialsError) for error in errors):
        return "refused"
    accepted = any(error is None or isinstance(error, PermissionDeniedError) for error in errors)
    return "accepted" if accepted else "unknown"


def _entities(checks: Sequence[EntityCheck]) -> str:
    by_outcome: dict[str, list[str]] = {}
    for check in checks:
        outcome = "ok" if check.error is None else check.error.code.value.lower().replace("_", " ")
        by_outcome.setdefault(outcome, []).append(check.entity)
    return "; ".join(f"{outcome}: {', '.join(entities)}" for outcome, entities in by_outcome.items()) or "-"


def _about(entities: Sequence[str]) -> str:
    return f" ({', '.join(entities)})" if entities else ""


def _told(error: VendorError, origin: str) -> str:
    """What an error says; where no answer came, or none that can be read, more of it, which the graph does not tell everybody."""
    if isinstance(error, MalformedReplyError):
        status = "" if error.status is None else f", status {error.status}"
        advice = f"Check its address in the configuration: {urlsplit(origin).netloc} may answer with a page, and the API be at another."
        return f"{error.message} {advice} ({error.code}{status})"
    if not isinstance(error, UnavailableError):
        return f"{error.message} ({error.code})"
    failure = behind(error)
    cause = failure.__cause__
    if cause is None:
        return f"{error.message} ({error.code}{'' if failure.status is None else f', status {failure.status}'})"
    host = f"{cause.host}:{cause.port}" if isinstance(cause, aiohttp.ClientConnectorError) else urlsplit(origin).netloc
    return (
        f"The CRM {error.crm!r} cannot be reached at {host}: {network_reason(cause) or type(cause).__name__}. Check its address in the"
        f" configuration, and `proxy` and `ca_file` if it needs them; if they are right, try again later. ({error.code})"
    )
