"""The shapes of Apideck's unified CRM records, and what their lists can be filtered and sorted by.

Source for every name, type, null and read-only mark here: Apideck CRM API, schemas Opportunity, Pipeline, User, Company, Contact, and
their parts. Nothing here knows of HTTP.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from vendors.apideck.sandbox.shapes import Check, Field, Problem, Shape, anything, is_date, is_date_time, many, one_of, typed

# Source: Apideck CRM API, schema Currency: these codes and no others (BYN, VES, MRU, SLE and other current codes are not among them).
CURRENCIES = frozenset(
    """
    UNKNOWN_CURRENCY AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYR BZD CAD CDF
    CHE CHF CHW CLF CLP CNY COP COU CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD
    HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LTL LVL LYD MAD MDL
    MGA MKD MMK MNT MOP MRO MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF
    SAR SBD SCR SDG SEK SGD SHP SLL SOS SRD SSP STD SVC SYP SZL THB TJS TMT TND TOP TRC TRY TTD TWD TZS UAH UGX USD USN USS UYI UYU
    UZS VEF VND VUV WST XAF XAG XAU XBA XBB XBC XBD XCD XDR XOF XPD XPF XPT XTS XXX YER ZAR ZMK ZMW BTC ETH
    """.split()  # noqa: SIM905 - a table reads better than 183 quoted words
)

_text = typed("a string", lambda value: isinstance(value, str))
_filled_text = typed("a string of at least one character", lambda value: isinstance(value, str) and value != "")
_number = typed("a number", lambda value: isinstance(value, int | float) and not isinstance(value, bool))
_boolean = typed("a boolean", lambda value: isinstance(value, bool))
_object = typed("an object", lambda value: isinstance(value, dict))
_day = typed("a date (YYYY-MM-DD)", is_date)
_instant = typed("a date-time (ISO 8601)", is_date_time)
_currency = typed("a currency code of the list", lambda value: isinstance(value, str) and value in CURRENCIES)
_email = typed("an e-mail address", lambda value: isinstance(value, str) and re.fullmatch(r"[^@\s]+@[^@\s]+", value) is not None)
_country = typed("a country code of two letters", lambda value: isinstance(value, str) and re.fullmatch(r"..", value) is not None)


def _texts(*names: str) -> dict[str, Field]:
    return {name: Field(_text) for name in names}


def _read_only(check: Check, *names: str) -> dict[str, Field]:
    return {name: Field(check, read_only=True) for name in names}


_ID = {"id": Field(_text, nullable=False, read_only=True)}
_STAMPS = _read_only(_instant, "updated_at", "created_at")
_AUTHORS = _read_only(_text, "updated_by", "created_by")
_TAGS = {"tags": Field(many(_text))}
_CUSTOM_MAPPINGS = _read_only(_object, "custom_mappings")
_DELETED = {"deleted": Field(_boolean, nullable=False, read_only=True)}

_PASS_THROUGH = Shape(
    required=("service_id",),
    fields={
        "service_id": Field(_text, nullable=False),
        "operation_id": Field(_text, nullable=False),
        "extend_object": Field(_object, nullable=False),
        "extend_paths": Field(
            many(Shape(required=("path", "value"), fields={"path": Field(_text, nullable=False), "value": Field(anything)}).problems),
            nullable=False,
        ),
    },
)
_EXTRA = {"pass_through": Field(many(_PASS_THROUGH.problems), nullable=False, write_only=True)}


def _custom_value(path: str, value: object) -> Iterator[Problem]:
    items = cast("list[object]", value) if isinstance(value, list) else []
    if any(isinstance(item, list) for item in items):
        yield Problem("invalid", path, "must not be an array of arrays")


_CUSTOM_FIELD = Shape(either=("id", "name"), fields={**_texts("id", "name", "description"), "value": Field(_custom_value)})
_CUSTOM_FIELDS = {"custom_fields": Field(many(_CUSTOM_FIELD.problems), nullable=False)}

_EMAIL = Shape(
    required=("email",),
    fields={
        "id": Field(_text),
        "email": Field(_email),
        "type": Field(one_of("primary", "secondary", "work", "personal", "billing", "other")),
    },
)
_PHONE_NUMBER = Shape(
    required=("number",),
    fields={
        **_texts("id", "country_code", "area_code", "extension"),
        "number": Field(_filled_text, nullable=False),
        "type": Field(
            one_of(
                *("primary", "secondary", "home", "work", "office", "mobile", "assistant", "fax"),
                *("direct-dial-in", "personal", "billing", "other"),
            )
        ),
    },
)
_ADDRESS = Shape(
    fields={
        "type": Field(one_of("primary", "secondary", "home", "office", "shipping", "billing", "work", "other")),
        **_texts("id", "string", "name", "line1", "line2", "line3", "line4", "line5", "street_number", "city", "state", "postal_code"),
        **_texts("country", "latitude", "longitude", "county", "contact_name", "salutation", "phone_number", "fax", "email", "website"),
        **_texts("notes", "row_version"),
    }
)
_WEBSITE = Shape(
    required=("url",),
    fields={
        "id": Field(_text),
        "url": Field(_filled_text, nullable=False),
        "type": Field(one_of("primary", "secondary", "work", "personal", "other")),
    },
)
_SOCIAL_LINK = Shape(required=("url",), fields={**_texts("id", "type"), "url": Field(_filled_text, nullable=False)})
_BANK_ACCOUNT = Shape(
    fields={
        **_texts("bank_name", "account_number", "account_name", "iban", "bic", "routing_number", "bsb_number", "branch_identifier"),
        **_texts("bank_code"),
        "account_type": Field(one_of("bank_account", "credit_card", "other")),
        "currency": Field(_currency),
        "country": Field(_country),
    }
)
_REACHED_AT = {
    "addresses": Field(many(_ADDRESS.problems), nullable=False),
    "phone_numbers": Field(many(_PHONE_NUMBER.problems), nullable=False),
    "emails": Field(many(_EMAIL.problems), nullable=False),
}
_FOUND_AT = {
    **_REACHED_AT,
    "websites": Field(many(_WEBSITE.problems), nullable=False),
    "social_links": Field(many(_SOCIAL_LINK.problems), nullable=False),
}

OPPORTUNITY = Shape(
    required=("title",),
    fields={
        **_ID,
        "title": Field(_text, nullable=False),
        **_texts("primary_contact_id", "description", "type"),
        "monetary_amount": Field(_number),
        "currency": Field(_currency),
        "win_probability": Field(_number),
        "expected_revenue": Field(_number, read_only=True),
        "close_date": Field(_day),
        **_texts("loss_reason_id", "loss_reason", "won_reason_id", "won_reason", "pipeline_id", "pipeline_stage_id", "source_id"),
        **_texts("lead_id", "lead_source", "contact_id"),
        "contact_ids": Field(many(_text), nullable=False),
        **_texts("company_id", "company_name", "owner_id", "priority", "status", "status_id"),
        **_TAGS,
        "interaction_count": Field(_number, read_only=True),
        **_CUSTOM_FIELDS,
        "stage_last_changed_at": Field(_instant),
        **_read_only(_text, "last_activity_at"),
        **_DELETED,
        **_read_only(_instant, "date_stage_changed", "date_last_contacted", "date_lead_created"),
        **_CUSTOM_MAPPINGS,
        **_AUTHORS,
        **_STAMPS,
        **_EXTRA,
    },
)
# `stages` nest shapes of their own, which only answers carry: no pipeline can be written.
PIPELINE = Shape(
    required=("name",),
    fields={
        "id": Field(_text, nullable=False),
        "name": Field(_filled_text, nullable=False),
        "currency": Field(_currency),
        "archived": Field(_boolean, nullable=False),
        "active": Field(_boolean, nullable=False),
        "display_order": Field(_number),
        "win_probability_enabled": Field(_boolean, nullable=False),
        "stages": Field(many(_object), nullable=False),
        **_STAMPS,
        **_EXTRA,
    },
)
# The one shape here that is open: other keys are let through unread.
USER = Shape(
    required=("emails",),
    closed=False,
    fields={
        **_ID,
        **_texts("parent_id", "username", "name", "first_name", "last_name", "title", "division", "department", "company_name"),
        **_texts("employee_number", "description", "image", "language", "status"),
        "password": Field(_text, write_only=True),
        **_REACHED_AT,
        **_CUSTOM_MAPPINGS,
        **_read_only(_text, "updated_at", "created_at"),
        **_EXTRA,
    },
)
COMPANY = Shape(
    required=("name",),
    fields={
        **_ID,
        **_texts("name", "owner_id", "image", "description", "vat_number", "status", "fax", "annual_revenue", "number_of_employees"),
        **_texts("industry", "ownership", "sales_tax_number", "payee_number", "abn_or_tfn", "abn_branch", "acn", "first_name", "last_name"),
        **_texts("salutation"),
        "currency": Field(_currency),
        "interaction_count": Field(_number, read_only=True),
        **_read_only(_text, "parent_id"),
        "bank_accounts": Field(many(_BANK_ACCOUNT.problems), nullable=False),
        **_FOUND_AT,
        "row_type": Field(Shape(fields=_texts("id", "name"), closed=False).problems, nullable=False),
        **_CUSTOM_FIELDS,
        **_TAGS,
        "read_only": Field(_boolean),
        "last_activity_at": Field(_instant, read_only=True),
        **_DELETED,
        "birthday": Field(_day),
        **_CUSTOM_MAPPINGS,
        **_AUTHORS,
        **_STAMPS,
        **_EXTRA,
    },
)
CONTACT = Shape(
    fields={
        **_ID,
        **_texts("name", "owner_id", "company_id", "company_name", "lead_id", "first_name", "middle_name", "last_name", "prefix", "suffix"),
        **_texts("title", "department", "language", "birthday", "image", "photo_url", "lead_source", "fax", "description", "status"),
        **_texts("email_domain"),
        "type": Field(one_of("customer", "supplier", "employee", "personal")),
        "gender": Field(one_of("male", "female", "unisex")),
        "current_balance": Field(_number),
        "active": Field(_boolean),
        **_FOUND_AT,
        "custom_fields": Field(many(_CUSTOM_FIELD.problems)),
        **_TAGS,
        **_read_only(_instant, "first_call_at", "first_email_at", "last_activity_at"),
        **_CUSTOM_MAPPINGS,
        **_STAMPS,
        "opportunity_ids": Field(many(_text), nullable=False),
        **_EXTRA,
    },
)

FilterRule = Literal["text", "exact", "number", "since", "email", "phone"]


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of the API.

    Args:
        name: Its path segment, which is also the `resource` of an envelope.
        shape: Shape of its records.
        filters: The keys that `filter[...]` may have, and how each compares.
        sorts: The values that `sort[by]` may have.
        writable: Whether it can be created, updated and deleted, and be read one by one.
    """

    name: str
    shape: Shape
    filters: Mapping[str, FilterRule] = field(default_factory=dict[str, FilterRule])
    sorts: Sequence[str] = ()
    writable: bool = True


# Source: Apideck CRM API, operations opportunitiesAll, pipelinesAll, usersAll, companiesAll, contactsAll: parameters filter and sort.
RESOURCES: Mapping[str, Resource] = {
    "opportunities": Resource(
        "opportunities",
        OPPORTUNITY,
        filters={
            "title": "text",
            "status": "text",
            "monetary_amount": "number",
            "win_probability": "number",
            "company_id": "exact",
            "owner_id": "exact",
            "primary_contact_id": "exact",
        },
        sorts=("created_at", "updated_at", "title", "win_probability", "monetary_amount", "status"),
    ),
    # Every pipeline operation but the list is marked as upcoming.
    "pipelines": Resource("pipelines", PIPELINE, writable=False),
    "users": Resource("users", USER, filters={"email": "email", "name": "text"}),
    "companies": Resource(
        "companies",
        COMPANY,
        filters={"name": "text", "updated_since": "since", "created_since": "since"},
        sorts=("created_at", "updated_at", "name"),
    ),
    "contacts": Resource(
        "contacts",
        CONTACT,
        filters={
            "name": "text",
            "first_name": "text",
            "last_name": "text",
            "email": "email",
            "phone_number": "phone",
            "company_id": "exact",
            "owner_id": "exact",
            "updated_since": "since",
            "created_since": "since",
        },
        sorts=("created_at", "updated_at", "name", "first_name", "last_name", "email"),
    ),
}

Record = dict[str, Any]
