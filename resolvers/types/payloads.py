"""What writes answer with."""

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from resolvers.node_id import encode
from resolvers.relation import attribute, computed, contextual, relation
from resolvers.scalars import JSON
from resolvers.types.enums import UserErrorCode, WriteOutcome
from vendors.errors import VendorError

if TYPE_CHECKING:
    from resolvers.context import Context
    from resolvers.types.account import Account
    from resolvers.types.contact import Contact
    from resolvers.types.opportunity import Opportunity


@strawberry.type(description="Why a write was not made, or which part of it was not.")
class UserError:
    path: list[str] = attribute("Where in the arguments it stands, such as `[input, amount, currency]`.")
    code: UserErrorCode = attribute("Which kind of rule it breaks.")
    message: str = attribute("What to do.")
    vendor_code: str | None = attribute("The vendor's own code, where it was the vendor who refused.")


def _body(request: Any) -> Any:
    if request.body is None:
        return None
    try:
        return json.loads(request.body, parse_float=Decimal)  # to the last digit
    except ValueError:
        return request.body.decode("utf-8", "replace")


@strawberry.type(description="A request as the vendor is, or would be, sent it, without what signs it.")
class VendorRequest:
    operation: str = attribute("Our name of the call.")
    method: str = attribute("HTTP method.")
    path: str = attribute("Path below the CRM's address; `{id}` stands for the id of a record that an earlier request creates.")
    parameters: JSON = computed(lambda request: [list(parameter) for parameter in request.params], "Query parameters, as pairs.")
    content_type: str | None = attribute("Media type of the body.")
    body: JSON | None = computed(_body, "The body: as JSON where it is JSON, else as text.")


def _id(type_name: str) -> Any:
    return computed(lambda made: None if made.ref is None else encode(type_name, made.ref), "Global id of the record that was written.")


def _record(loader: str, description: str) -> Any:
    """Declare the record that was written; where it cannot be read, it was written nevertheless."""

    async def read(made: Any, context: "Context") -> Any:
        if made.ref is None:
            return None
        try:
            return await getattr(context.loaders, loader).load(made.ref)
        except VendorError as error:
            raise error.saying(f"The write is done, but the record could not be read: do not make it again. {error.message}") from error

    return contextual(read, description)


_ERRORS = "Why it was not made, or which part of it was not; empty when all is well."
_REQUESTS = "What was sent to change the vendor's data; for a dry run, what would be."
_CANDIDATES = "For an UNKNOWN outcome: the records that it may have made; null when they could not be looked up."


@strawberry.type(description="What became of a write of an opportunity.")
class OpportunityPayload:
    outcome: WriteOutcome = attribute("What became of it.")
    opportunity: Annotated["Opportunity", strawberry.lazy("resolvers.types.opportunity")] | None = _record(
        "opportunities_by_ref",
        "The opportunity as the CRM holds it now, read after the write; null when it was not written, or when the CRM shows nothing of a"
        " deleted one.",
    )
    opportunity_id: strawberry.ID | None = _id("Opportunity")
    user_errors: list[UserError] = computed(lambda made: made.user_errors, _ERRORS, assumed_size=3)
    vendor_requests: list[VendorRequest] = computed(lambda made: made.requests, _REQUESTS, assumed_size=3)
    candidates: list[Annotated["Opportunity", strawberry.lazy("resolvers.types.opportunity")] | None] | None = relation(
        _CANDIDATES, loader="opportunities_by_ref", key="candidates", many=True, assumed_size=5
    )


@strawberry.type(description="What became of a write of an account.")
class AccountPayload:
    outcome: WriteOutcome = attribute("What became of it.")
    account: Annotated["Account", strawberry.lazy("resolvers.types.account")] | None = _record(
        "accounts_by_ref", "The account as the CRM holds it now, read after the write."
    )
    account_id: strawberry.ID | None = _id("Account")
    user_errors: list[UserError] = computed(lambda made: made.user_errors, _ERRORS, assumed_size=3)
    vendor_requests: list[VendorRequest] = computed(lambda made: made.requests, _REQUESTS, assumed_size=3)
    candidates: list[Annotated["Account", strawberry.lazy("resolvers.types.account")] | None] | None = relation(
        _CANDIDATES, loader="accounts_by_ref", key="candidates", many=True, assumed_size=5
    )


@strawberry.type(description="What became of a write of a contact.")
class ContactPayload:
    outcome: WriteOutcome = attribute("What became of it.")
    contact: Annotated["Contact", strawberry.lazy("resolvers.types.contact")] | None = _record(
        "contacts_by_ref", "The contact as the CRM holds it now, read after the write."
    )
    contact_id: strawberry.ID | None = _id("Contact")
    user_errors: list[UserError] = computed(lambda made: made.user_errors, _ERRORS, assumed_size=3)
    vendor_requests: list[VendorRequest] = computed(lambda made: made.requests, _REQUESTS, assumed_size=3)
    candidates: list[Annotated["Contact", strawberry.lazy("resolvers.types.contact")] | None] | None = relation(
        _CANDIDATES, loader="contacts_by_ref", key="candidates", many=True, assumed_size=5
    )


@strawberry.type(description="What a CRM takes for a new opportunity.")
class CreateField:
    name: str = attribute("Key of the input, dotted where it is the vendor's own.")
    is_required: bool = attribute("Whether it has to be given.")
    is_allowed: bool = attribute("Whether it may be given.")
    max_length: int | None = attribute("Number of characters, where the vendor limits it.")
    note: str | None = attribute("What else to know.")
