"""A portal of ONLYOFFICE CRM to talk to: real HTTP, kept state, the vendor's rules."""

from collections.abc import Mapping

from vendors.onlyoffice.sandbox.logins import PASSWORD, USERNAME
from vendors.onlyoffice.sandbox.routes import build
from vendors.sandbox import Option, OptionValue, SandboxKind

_OPTIONS = {
    "names": Option(
        values=("camel", "pascal"),
        default="camel",
        hardest="pascal",
        meaning="Keys inside `response`: as the server writes them, or as its API pages print them.",
    ),
    "defaults": Option(
        values=("omitted", "sent"),
        default="omitted",
        hardest="omitted",
        meaning="Members that hold their type's default: left out, or sent as 0 and null.",
    ),
    "portal_offset": Option(
        values=("+03:00", "+00:00", "-05:00"),
        default="+03:00",
        hardest="-05:00",
        meaning="Time zone of the portal; `+00:00` is written `Z`.",
    ),
    "next_index": Option(
        values=("off_by_one", "right", "absent"),
        default="off_by_one",
        hardest="off_by_one",
        meaning="`nextIndex`: one row too far, the next row, or never sent.",
    ),
    "token_lifetime": Option(
        values=("long", "short"), default="long", hardest="short", meaning="A token lives for days, or for ten calls (60 seconds at most)."
    ),
    "auth_style": Option(
        values=("all", "raw", "bearer"),
        default="all",
        hardest="raw",
        meaning="Accepted credentials: cookie, bare token, Basic and Bearer; only the bare token; only `Bearer`.",
    ),
    "people_email": Option(
        values=("visible", "hidden"),
        default="visible",
        hardest="hidden",
        meaning="Other people's e-mail addresses and telephones, or null.",
    ),
    "total": Option(
        values=("stale", "fresh", "absent"),
        default="stale",
        hardest="absent",
        meaning="`total` of a full page of opportunities: up to 30 seconds old after edits and moves, always true, or never sent.",
    ),
    "batch": Option(
        values=("on", "off"), default="on", hardest="off", meaning="`POST batch` exists, or is a page of the web server saying 404."
    ),
    "single_missing_stage": Option(
        values=("not_found", "shown"),
        default="not_found",
        hardest="not_found",
        meaning="A single read of an opportunity whose stage is gone: 404, or it without `stage`.",
    ),
    "single_object_array": Option(
        values=("dropped", "bound"),
        default="dropped",
        hardest="dropped",
        meaning="A JSON array of exactly one object in a request: lost, or read.",
    ),
    "fields": Option(
        values=("top_level", "every_level"),
        default="top_level",
        hardest="every_level",
        meaning="`fields=` selects keys of the rows, or of every object inside them too.",
    ),
    "people_list_filter": Option(
        values=("on", "off"), default="on", hardest="off", meaning="`people?filterBy=` filters, or is passed over and everybody comes."
    ),
    "date_field_text": Option(
        values=("iso", "portal"),
        default="iso",
        hardest="portal",
        meaning="Text of a custom field of kind Date: `2026-12-01`, or `12/1/2026`.",
    ),
}


def _settings(base_url: str, _options: Mapping[str, OptionValue]) -> Mapping[str, object]:
    return {"portal_url": base_url, "username": USERNAME, "password": PASSWORD}


SANDBOX = SandboxKind(
    vendor="onlyoffice",
    crm_key="baltic",
    label="Nordkai Baltic (ONLYOFFICE)",
    options=_OPTIONS,
    build=build,
    settings=_settings,
    not_simulated=(
        "XML answers (.xml, .tml) and XML request bodies",
        "gzip",
        "multipart request bodies",
        "changing and deleting contacts; writing people, currencies and custom field definitions; tags of contacts",
        "custom fields of contacts",
        "the feed, the audit trail, tasks, cases, invoices, files and history",
        "the second step of a two-factor login (code by SMS or app)",
        "unpaid (402) and moving (503) portals: use a fault",
        "localized texts: titles and messages are English",
        "the full-text index of filterValue: texts are found by parts of words",
        "e-mail notifications of isNotify",
        "debug builds, whose errors carry type and stack",
        "access rules of groups; a private record lists people",
    ),
)
