"""`crmgraph init`: a commented configuration, written from the settings that the code knows."""

from argparse import Namespace
from collections.abc import Iterator, Mapping
from dataclasses import fields
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from server.changes.settings import ChangeSettings
from server.commands.terminal import say
from server.commands.toml import toml_value
from server.config_crms import CrmSettings
from server.config_money import MoneySettings, RateSettings
from server.config_secrets import secret_fields
from server.config_server import LIMITS, ServerSettings
from vendors.changes import WATCHING, PollsOpportunities, Watching
from vendors.errors import ConfigError
from vendors.registry import Vendor, all_vendors

_HEAD = """\
# Configuration of crmgraph. What is commented out shows the default or an example; "" is for you to fill in, or to leave commented out
# where it is not required.
# `crmgraph check` tells whether every CRM can be reached, `crmgraph serve` serves the graph.
#
# A secret x is given as x_env, the name of an environment variable, or as x_file, the path of a file (relative to this one).
# As x itself, the secret may stand here only when the CRM is on this machine, as a sandbox is."""

_CRMS = (
    "# The key of a CRM is part of the ids of all its records, and of cursors: rename it, and those that clients have kept no longer hold."
)

_RATES = """\
# Instead of a file, one day's exchange rates may stand here: how many units of each currency one unit of the base is worth.
# [money.rates]"""

_CHANGES: Final[Mapping[str, str]] = {
    "enabled": "Whether CRMs are watched; without it subscriptions have no events, and no webhooks are taken.",
    "retention_days": "How long events are kept, and so how old a client's cursor may be.",
    "most_waiting": "Number of events that wait in memory for one subscriber; one that is further behind reads the log.",
    "lag_seconds": "How long a subscriber may stay that far behind before its subscription is ended.",
    "webhook_max_age_seconds": "How old a webhook may be that says when it happened.",
    "webhook_max_bytes": "Largest body of a webhook.",
}

_LIMITS: Final[Mapping[str, str]] = {
    "max_depth": "Levels of fields in an operation, the leaves included.",
    "max_nesting": "Levels of selections in an operation, counting the fragments on the way as well.",
    "max_aliases": "Aliases in an operation, each counted as often as its fragment is used.",
    "max_root_fields": "Fields at the top of an operation.",
    "max_directives": "Directives in a document.",
    "max_repeats": "How often one selection may ask for the same field under the same name.",
    "max_fragments": "Named fragments in a document.",
    "max_tokens": "Tokens of a document, such as names, numbers and brackets.",
    "max_cost": "Cost of an operation: about how many objects its answer may hold. A list multiplies what is below it by its size.",
    "grace_seconds": "How long after the deadline the answer may still be put together.",
    "max_body_bytes": "Largest body of a request.",
    "max_json_depth": "Deepest nesting of arrays and objects in a body, or in the variables of a GET.",
    "max_number_digits": "Longest number in a body.",
    "max_header_bytes": "All header names and values of a request together.",
    "max_url_bytes": "Path and query of a URL together.",
    "body_read_timeout_seconds": "How long a client may take to send its whole body.",
    "gzip_minimum_bytes": "Answers from this size on are compressed for clients that accept it.",
    "max_operations_per_socket": "Operations that may run at once on one WebSocket.",
    "connection_init_timeout_seconds": "How long a client may take to begin a WebSocket's protocol, by connection_init.",
    "ping_interval_seconds": "How often a WebSocket is pinged.",
    "pong_timeout_seconds": "How long after a ping the WebSocket's client may be silent.",
    "sse_ping_seconds": "How often a stream of server-sent events has a comment, as a sign of life.",
    "sse_retry_seconds": "How long a browser waits before it comes back to a stream of server-sent events that broke off.",
    "multipart_heartbeat_seconds": "How often a multipart stream has an empty part, as a sign of life.",
    "kept_answers_bytes": "Size of the answers that are given again without executing their queries; 1 keeps none.",
}


def run(arguments: Namespace) -> int:
    """Write the file, unless it exists."""
    file: Path = arguments.output
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(template())
    except FileExistsError:
        raise ConfigError(f"{file}: exists already and is left as it is; name another file with --output") from None
    except OSError as error:
        raise ConfigError(f"{file}: cannot be written ({error.strerror})") from None
    say(f"Wrote {file}. Uncomment a CRM in it, set its secrets in the environment, then run: crmgraph check --config {file}")
    return 0


def template() -> str:
    """The whole file."""
    blocks = [
        _HEAD,
        "\n".join(["[server]", *_lines(ServerSettings, variables="CRMGRAPH")]),
        "\n".join(["[server.limits]", "# Limits of one operation, request or connection.", *_limit_lines()]),
        "\n".join(["[money]", *_lines(MoneySettings)]),
        "\n".join([_RATES, *_lines(RateSettings), '# USD = "1.0850"']),
        "\n".join(["[changes]", "# How changes of opportunities are watched and kept; how often, each CRM says.", *_change_lines()]),
        _CRMS,
        *(_crm(vendor) for vendor in all_vendors().values()),
    ]
    return "\n\n".join(blocks) + "\n"


def _crm(vendor: Vendor) -> str:
    head = [
        f"# {vendor.label}: the key after the dot is yours to choose; one vendor may have several CRMs.",
        f"# [crms.{vendor.key}]",
        f"# vendor = {toml_value(vendor.key)}",
    ]
    common = _lines(CrmSettings, own=_common(vendor))
    return "\n".join([*head, *_lines(vendor.settings, variables=vendor.key.upper()), *common])


def _common(vendor: Vendor) -> Mapping[str, Any]:
    """What settings of every CRM are by default for those of a vendor; None for those that have no place there."""
    module = f"vendors.{vendor.key}.watching"
    watching: Watching = WATCHING if find_spec(module) is None else import_module(module).WATCHING
    return {
        "vendor": None,
        "label": vendor.label,
        "poll_seconds": float(watching.poll_seconds) if issubclass(vendor.client, PollsOpportunities) else None,
        "sweep_seconds": float(watching.sweep_seconds),
        "watch_calls_per_hour": float(watching.calls_per_hour),
    }


def _change_lines() -> Iterator[str]:
    for field in fields(ChangeSettings):
        yield f"#   {_CHANGES[field.name]}"
        yield f"# {field.name} = {toml_value(field.default)}"


def _limit_lines() -> Iterator[str]:
    for name, value in LIMITS.items():
        yield f"#   {_LIMITS[name]}"
        yield f"# {name} = {toml_value(value)}"


def _lines(settings: type[BaseModel], *, own: Mapping[str, Any] | None = None, variables: str = "CRM") -> Iterator[str]:
    """A comment and a commented-out line for each setting, with the value of its own where it has one; none where that is None."""
    own = own or {}
    secrets = secret_fields(settings)
    for name, field in settings.model_fields.items():
        if name in own and own[name] is None:
            continue
        need = "Required. " if field.is_required() else ""
        yield f"#   {need}{field.description or ''}".rstrip()
        if name in secrets:
            yield f"# {name}_env = {toml_value(f'{variables}_{name.upper()}')}"
        else:
            yield f"# {name} = {toml_value(own.get(name, _shown(field)))}"


def _shown(field: FieldInfo) -> Any:
    """The default of a setting, or else an example."""
    if field.examples:
        return field.examples[0]
    default = field.get_default(call_default_factory=True) if not field.is_required() else None
    return "" if default is None else str(default) if isinstance(default, Path) else default
