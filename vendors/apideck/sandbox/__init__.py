"""Apideck's unified CRM interface with a HubSpot connection behind it: the CRM of Nordkai Americas, played over real HTTP."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from aiohttp import web

from vendors.apideck.sandbox import generate
from vendors.apideck.sandbox.answers import SERVICE, Presentation
from vendors.apideck.sandbox.limits import Limits, ResetAs
from vendors.apideck.sandbox.routes import API_KEY, APP_ID, CONSUMER_ID, make_application
from vendors.apideck.sandbox.search import TextFilter
from vendors.apideck.sandbox.store import STORE, Change, Rules, StageIds, Store
from vendors.apideck.sandbox.webhooks import Signing
from vendors.sandbox import Option, OptionValue, SandboxKind, SandboxSetup

__all__ = ["SANDBOX", "STORE", "Change", "Store"]

WEBHOOK_KEY = "whsec_sandbox_nordkai_americas_81d2e0"
_SEED = Path(__file__).with_name("seed.json")


def _build(setup: SandboxSetup) -> web.Application:
    options = cast("Mapping[str, Any]", setup.options)
    seed = json.loads(_SEED.read_text(encoding="utf-8"))
    if setup.scale is not None:
        seed["opportunities"] = generate.opportunities(seed, setup.scale)
    rules = Rules(
        stage_ids=cast("StageIds", options["stage_ids"]),
        status_follows_stage=options["status_after_move"] == "follows",
        delete_leaves_record=options["after_delete"] == "flagged",
        text_filter=cast("TextFilter", options["text_filter"]),
        merges_custom_fields=options["custom_fields"] == "merged",
        needs_primary_contact=options["primary_contact"] == "required",
        nulls_first=options["order_of_nulls"] == "first",
        stamps_in=options["stamps"],
    )
    presentation = Presentation(
        nulls=options["nulls"],
        total_count=options["total_count"] == "present",
        error_detail=options["error_detail"],
        body_status=options["body_status"],
        last_page=options["last_page"],
        short_pages=options["pages"] == "short",
        warnings=options["warnings"] == "present",
        filtered_relations=options["filtered_relations"],
        filters_supported=options["filters"] == "supported",
        sorts_supported=options["sorts"] == "supported",
        pipelines_paged=options["pipelines_paging"] == "supported",
        unsupported_status=options["unsupported_status"],
    )
    limits = Limits(reset_as=cast("ResetAs", options["rate_limit_reset"]))
    signing = Signing(
        secret=WEBHOOK_KEY if options["webhook_key"] == "own" else API_KEY,
        encoding=options["webhook_signature"],
        over=options["webhook_signed"],
        trial=options["webhook_trial"],
    )
    return make_application(Store(seed, rules=rules, limits=limits), presentation, setup.base_url, signing)


def _settings(base_url: str, options: Mapping[str, OptionValue]) -> dict[str, object]:
    return {
        "base_url": base_url,
        "api_key": API_KEY,
        "app_id": APP_ID,
        "consumer_id": CONSUMER_ID,
        "service_id": SERVICE,
        "won_status": "closedwon",
        "lost_status": "closedlost",
        "open_status": "open",
        **({"require_primary_contact": True} if options["primary_contact"] == "required" else {}),
        **({"webhook_secret": WEBHOOK_KEY} if options["webhook_key"] == "own" else {}),
    }


SANDBOX = SandboxKind(
    vendor="apideck",
    crm_key="americas",
    label="Nordkai Americas (HubSpot via Apideck)",
    options={
        "total_count": Option(("present", "absent"), "present", "absent", "Whether meta.total_count is there; several connectors lack it."),
        "nulls": Option(("null", "absent"), "null", "absent", "Whether an unmapped field is null or left out."),
        "stage_ids": Option(
            ("present", "repeated", "null"),
            "present",
            "null",
            "Whether stages have ids, ids that repeat in every pipeline, or none (deals then hold the stage's value, or its name).",
        ),
        "error_detail": Option(("object", "string"), "object", "string", "Form of `detail` in error bodies."),
        "rate_limit_reset": Option(
            ("seconds", "milliseconds", "retry_after"),
            "seconds",
            "milliseconds",
            "Unit of x-downstream-ratelimit-reset, or Retry-After on a 429 in its place.",
        ),
        "last_page": Option(
            ("null_cursor", "no_meta"), "null_cursor", "no_meta", "Whether the last page has a null next cursor, or neither meta nor links."
        ),
        "pages": Option(
            ("full", "short"), "full", "short", "Whether a page holds as many rows as asked for, or half although more follow."
        ),
        "filters": Option(
            ("supported", "unsupported"), "supported", "supported", "Whether the connector can filter (it never filters users)."
        ),
        "sorts": Option(("supported", "unsupported"), "supported", "supported", "Whether the connector can sort."),
        "filtered_relations": Option(
            ("omitted", "present"), "omitted", "omitted", "Whether filtered or sorted opportunities lack their relations, as for hubspot."
        ),
        "text_filter": Option(("contains", "equals"), "contains", "equals", "How a text filter matches, without regard to case."),
        "unsupported_status": Option((400, 501), 400, 501, "HTTP status of unsupported filters, sort keys and paging."),
        "pipelines_paging": Option(
            ("supported", "refused"),
            "supported",
            "refused",
            "Whether pipelines take limit and cursor, or answer PaginationNotSupportedError.",
        ),
        "body_status": Option(
            ("line", "examples"),
            "line",
            "examples",
            "Whether bodies repeat the HTTP status and the resource, or differ as the examples do.",
        ),
        "warnings": Option(("absent", "present"), "absent", "present", "Whether opportunities come with meta.warnings."),
        "after_delete": Option(("gone", "flagged"), "gone", "flagged", "Whether a deleted opportunity or company is gone or flagged."),
        "status_after_move": Option(
            ("follows", "kept"), "follows", "kept", "Whether a move to another stage sets status and win_probability."
        ),
        "custom_fields": Option(
            ("merged", "replaced"), "merged", "replaced", "Whether custom_fields of an update leave others alone, or replace them all."
        ),
        "primary_contact": Option(
            ("optional", "required"),
            "optional",
            "required",
            "Whether a deal can be created without a primary contact; several connectors demand one.",
        ),
        "order_of_nulls": Option(("last", "first"), "last", "first", "Where records without a value stand in an order by it."),
        "stamps": Option(("milliseconds", "seconds"), "milliseconds", "seconds", "How exact the connector stamps changes."),
        "webhook_signature": Option(("hex", "base64"), "hex", "base64", "How the signature of a webhook is written.", is_of_pushes=True),
        "webhook_signed": Option(
            ("sorted", "raw"), "sorted", "raw", "Whether a webhook's body is signed with sorted keys, or as it is sent.", is_of_pushes=True
        ),
        "webhook_key": Option(
            ("api_key", "own"), "api_key", "own", "Whether webhooks are signed with the API key, or another secret.", is_of_pushes=True
        ),
        "webhook_trial": Option(
            ("event", "empty"),
            "event",
            "empty",
            "Whether the webhook that tries a new URL out tells of an event, or is an empty object.",
            is_of_pushes=True,
        ),
    },
    build=_build,
    settings=_settings,
    not_simulated=(
        "connectors other than hubspot, and their rules for required fields",
        "leads, lists, notes, activities, custom objects",
        "the log of webhooks, their fixed retry times of up to half a day, and the end of a subscription after the last one",
        "virtual webhooks, which may come a day late",
        "the effect of pass_through downstream: it is checked and then dropped",
        "?_method= as a substitute for PATCH and DELETE",
        "the exact number of the connector's rate limit, which is not published",
    ),
)
