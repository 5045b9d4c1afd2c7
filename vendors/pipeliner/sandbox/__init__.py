"""The Pipeliner sandbox: the REST API of one team space, with a demo company in it."""

from collections.abc import Mapping

from vendors.pipeliner.sandbox.control import build
from vendors.pipeliner.sandbox.routes import PASSWORD, SPACE_ID, USERNAME
from vendors.pipeliner.sandbox.webhooks import SIGNATURE
from vendors.sandbox import Option, OptionValue, SandboxKind

# Each is a fact that the vendor's pages leave open, or that clients have seen both ways.
OPTIONS: Mapping[str, Option] = {
    "multi_value": Option(
        values=("none", "repeat", "comma", "brackets"),
        default="none",
        hardest="none",
        meaning="how several values reach one filter: not at all, as a repeated key, with commas, or as a repeated key with []",
    ),
    "text_match": Option(
        values=("folded", "pattern"),
        default="folded",
        hardest="pattern",
        meaning="how icontains compares: by folding case, or as a pattern of SQL in which only ASCII letters have a case",
    ),
    "filter_instants": Option(
        values=("microseconds", "seconds"),
        default="microseconds",
        hardest="seconds",
        meaning="whether a filter on an instant looks at fractions of seconds",
    ),
    "last_page_cursor": Option(values=("null", "value"), default="null", hardest="value", meaning="end_cursor of the last page"),
    "total": Option(values=("present", "absent"), default="present", hardest="absent", meaning="total of a list"),
    "decimals": Option(values=("string", "number"), default="string", hardest="number", meaning="type of amounts and rates in answers"),
    "datetimes": Option(
        values=("space", "t", "naive"), default="space", hardest="naive", meaning="spelling of instants: a space or a T, or without offset"
    ),
    "relation_host": Option(values=("new", "old"), default="new", hardest="old", meaning="host in the URIs of relations"),
    "unauthorized_body": Option(values=("json", "text"), default="json", hardest="text", meaning="body of a 401"),
    "extra_keys": Option(values=("off", "on"), default="off", hardest="on", meaning="keys in answers that no reference names"),
    "large_first": Option(values=("clamp", "reject"), default="clamp", hardest="reject", meaning="a page of more than 100 rows"),
    "record_not_found": Option(
        values=("envelope", "framework"),
        default="envelope",
        hardest="framework",
        meaning="body for an id that does not exist: the API's error, or the web framework's, which has no success key",
    ),
    "deleted_by_id": Option(
        values=("not_found", "shown"),
        default="not_found",
        hardest="not_found",
        meaning="a deleted record by its id, without include-deleted",
    ),
    "unexpanded_steps": Option(
        values=("uris", "objects"), default="uris", hardest="objects", meaning="steps of a pipeline that are not expanded"
    ),
    "won_by": Option(
        values=("step", "won_date"),
        default="step",
        hardest="won_date",
        meaning="what wins or loses a deal, besides the archive: a step of 100 or 0 percent, or the date of it",
    ),
    "multi_select": Option(
        values=("ids", "objects", "comma"), default="ids", hardest="comma", meaning="shape of a custom field with several choices"
    ),
    "label_flag": Option(values=("int", "string"), default="int", hardest="string", meaning="type of label_flag in answers"),
    "relation_lists": Option(
        values=("replace", "merge"), default="replace", hardest="merge", meaning="what a list of links in an update does to other links"
    ),
    "rate_limit": Option(
        values=("off", "plain", "seconds", "date"),
        default="off",
        hardest="plain",
        meaning="whether more than 300 calls a minute get 429, and its Retry-After: none, seconds, or a date",
    ),
    "webhook_digest": Option(
        values=("hex", "base64"), default="hex", hardest="base64", meaning="how the signature of a webhook is written", is_of_pushes=True
    ),
    "webhook_envelope": Option(
        values=("object", "list", "wrapped"),
        default="object",
        hardest="wrapped",
        meaning="body of a webhook: the record (of a bulk change a list of them), always a list, or an object with the event and a list",
        is_of_pushes=True,
    ),
}
# The last steps of the pipelines in use.
WON_STEPS = ("08c830b6-0dbc-436b-a83f-08beda066e7a", "0a71c40e-d888-4ea6-94c7-8544691fabe1")
LOST_STEPS = ("c6d0b9f2-7e15-4d0f-8a36-3b94e5c1f872", "0c5f7a9e-41d6-4b7b-9a53-d8e2c16b70f4")


def settings(base_url: str, _options: Mapping[str, OptionValue]) -> dict[str, object]:
    """Settings of a Crm that talks to this sandbox."""
    return {
        "service_url": base_url,
        "space_id": SPACE_ID,
        "username": USERNAME,
        "password": PASSWORD,
        "won_stage_id": WON_STEPS,
        "lost_stage_id": LOST_STEPS,
        "webhook_signature": SIGNATURE,
    }


SANDBOX = SandboxKind(
    vendor="pipeliner",
    crm_key="dach",
    label="Nordkai AG (Pipeliner)",
    options=OPTIONS,
    build=build,
    settings=settings,
    not_simulated=(
        "options of webhooks beside skip_keys and chunk_size; events DocumentLinked and Qualify",
        "checklists of steps when a person moves a deal: they count as done",
        "writes to the entities of the setup (pipelines, steps, users, currencies, fields)",
        "merging accounts or contacts",
        "entities beside those of opportunities, accounts and contacts (activities, products, quotes, documents)",
        "values computed from product lines",
        "the header Timezone: all times are in UTC",
        "permissions: the application may do everything, so 403 never comes by itself",
        "leads as entities of their own rules: they exist only so that links lead to them",
        "writing values of read-only fields that the server computes, whatever validation-level says",
    ),
)
