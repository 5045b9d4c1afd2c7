"""The Autotask sandbox: the REST API of one customer's database, with a demo company in it."""

from collections.abc import Mapping

from vendors.autotask.sandbox.control import build
from vendors.autotask.sandbox.routes import zone_origin
from vendors.autotask.sandbox.store import INTEGRATION_CODE, SECRET, USERNAME
from vendors.sandbox import Option, OptionValue, SandboxKind

# Each is a fact that the vendor's pages leave open, or that clients have seen both ways.
OPTIONS: Mapping[str, Option] = {
    "include_udf_with_fields": Option(
        values=("present", "absent"),
        default="present",
        hardest="absent",
        meaning="whether an empty userDefinedFields comes along when IncludeFields names none",
    ),
    "entities_without_udfs": Option(
        values=("absent", "empty"),
        default="absent",
        hardest="empty",
        meaning="userDefinedFields of resources and currencies",
    ),
    "udf_lists": Option(
        values=("label", "value"),
        default="label",
        hardest="value",
        meaning="whether a user-defined list carries the label or the value of its entry",
    ),
    "picklist_values": Option(values=("string", "int"), default="string", hardest="int", meaning="type of a picklist's values in metadata"),
    "next_page": Option(values=("null", "empty", "absent"), default="null", hardest="absent", meaning="nextPageUrl on the last page"),
    "paging_cursor": Option(values=("json", "base64"), default="json", hardest="base64", meaning="spelling of the cursor in paging links"),
    "zone_url_slash": Option(values=("with", "without"), default="with", hardest="without", meaning="how the url of the zone ends"),
    "zone_answers": Option(
        values=("same_origin", "other_name"),
        default="same_origin",
        hardest="other_name",
        meaning="whether the zone is at the origin that was asked or at another one, which the settings name",
    ),
    "unauthorized_body": Option(values=("empty", "errors"), default="empty", hardest="empty", meaning="body of a 401"),
    "error_items": Option(values=("text", "object"), default="text", hardest="object", meaning="elements of errors"),
    "permission_status": Option(values=(500, 403), default=500, hardest=403, meaning="status of a missing permission"),
    "thread_refusal": Option(values=(429, 500), default=429, hardest=500, meaning="status of a fourth request at the same time"),
    "hourly_refusal": Option(values=(429, 500), default=429, hardest=500, meaning="status when the hour's requests are used up"),
    "retry_after": Option(values=("absent", "seconds", "date"), default="absent", hardest="date", meaning="Retry-After of both refusals"),
    "nulls": Option(
        values=("null", "empty", "absent"), default="null", hardest="absent", meaning="unset texts, dates and references in answers"
    ),
    "ints": Option(values=("int", "float"), default="int", hardest="float", meaning="whether whole numbers arrive as 1 or 1.0"),
    "dates": Option(
        values=("seconds", "fraction", "no_zone"), default="seconds", hardest="no_zone", meaning="spelling of instants in answers"
    ),
    "field_case": Option(values=("any", "exact"), default="any", hardest="exact", meaning="whether field names are taken in any case"),
    "empty_filter": Option(values=("refused", "all"), default="refused", hardest="refused", meaning="answer to an empty filter list"),
    "filter_zone": Option(
        values=("utc", "west", "east"),
        default="utc",
        hardest="west",
        meaning="time zone in which the days and instants of a filter's ranges are read",
    ),
    "read_only": Option(
        values=("refused", "ignored"), default="refused", hardest="ignored", meaning="a new value written to a read-only field"
    ),
    "closed_date": Option(
        values=("as_given", "filled"), default="as_given", hardest="filled", meaning="whether closing a deal fills closedDate"
    ),
    "stage_sets_status": Option(
        values=("no", "yes"), default="no", hardest="yes", meaning="whether a stage written by API takes the status along"
    ),
    "edit_is_activity": Option(
        values=("yes", "not_of_stage", "no"),
        default="yes",
        hardest="no",
        meaning="whether creating and editing an opportunity stamps lastActivity, or only edits that leave stage and status, or neither",
    ),
}


def settings(base_url: str, options: Mapping[str, OptionValue]) -> dict[str, object]:
    """Settings of a Crm that talks to this sandbox."""
    return {
        "zone_url": base_url,
        "zone_origins": sorted({base_url, zone_origin(base_url, options)}),
        "username": USERNAME,
        "integration_code": INTEGRATION_CODE,
        "secret": SECRET,
    }


SANDBOX = SandboxKind(
    vendor="autotask",
    crm_key="service",
    label="Nordkai Service Ltd (Autotask)",
    options=OPTIONS,
    build=build,
    settings=settings,
    not_simulated=(
        "locking an account after repeated wrong secrets",
        "the answer of a wrong zone's host",
        "webhooks of companies and contacts",
        "prevPageUrl, which is always null",
        "quotes, notes, attachments and sales orders as entities of their own",
        "records hidden by the security level of the API user",
        "field metadata that depends on the user, and picklists that depend on another field",
        "what the win and lose wizards do to a probability",
        "rich text twins of text fields",
        "user-defined fields that a category makes required",
        "answers in another order than by id",
    ),
)
