"""What tests of writes through the graph share: one Crm, an input that it takes, and what its sandbox was sent."""

import base64
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from pydantic import SecretStr

from resolvers.node_id import encode
from server.limits import Limits
from tests.contract.reading import client_as
from tests.contract.test_writes import an_open_one, stages, values_like
from tests.playground import Playground, playground
from tests.resolvers.graph import Graph
from vendors.capabilities import ReadsPipelines
from vendors.model import Money, Opportunity, Ref
from vendors.sandbox import Call, Fault, FaultKind, OptionValue
from vendors.writes import UNSET, OpportunityValues

Json = dict[str, Any]

_REFERENCES = {"stage_id": "Stage", "owner_id": "User", "account_id": "Account", "primary_contact_id": "Contact"}
_KINDS = {
    "createOpportunity": "Opportunity",
    "updateOpportunity": "Opportunity",
    "moveOpportunityToStage": "Opportunity",
    "closeOpportunity": "Opportunity",
    "deleteOpportunity": "Opportunity",
    "createAccount": "Account",
    "createContact": "Contact",
}
DEAL = """id isDeleted title description status stage { id } amount { amount currency } expectedCloseDate updatedAt revision
    account { id } primaryContact { id } contacts { id }"""
_SHOWN = {
    "Opportunity": f"opportunity {{ {DEAL} }}",
    "Account": "account { id name phone }",
    "Contact": "contact { id firstName lastName email }",
}
REQUESTS = "vendorRequests { operation method path parameters contentType body }"
_ERRORS = "userErrors { path code message vendorCode }"
CREATE_OPERATIONS = {
    "apideck": "opportunitiesAdd",
    "autotask": "Opportunities.create",
    "onlyoffice": "POST crm/opportunity",
    "pipeliner": "POST Opportunities",
    "sharpspring": "createOpportunities",
}
"""How each sandbox logs the call that creates an opportunity."""


def asks(mutation: str) -> str:
    """The operation that asks for a mutation and for all of its payload."""
    kind = _KINDS[mutation]
    field = kind.lower()
    return f"""mutation($input: {mutation[0].upper()}{mutation[1:]}Input!, $key: String, $dry: Boolean! = false, $resolution: Resolution) {{
        made: {mutation}(input: $input, idempotencyKey: $key, dryRun: $dry, resolution: $resolution) {{
            outcome {_SHOWN[kind]} id: {field}Id {_ERRORS} {REQUESTS} candidates {{ id }} }} }}"""


@dataclass
class Desk:
    graph: Graph
    ground: Playground

    @property
    def key(self) -> str:
        return self.ground.crm.key

    @property
    def vendor(self) -> str:
        return self.ground.crm.vendor.key

    async def write(
        self, mutation: str, values: Mapping[str, Any], *, key: str | None = None, dry: bool = False, resolution: Json | None = None
    ) -> Json:
        """The payload of a mutation that has no error beside it."""
        return dict((await self.graph.data(asks(mutation), input=dict(values), key=key, dry=dry, resolution=resolution))["made"])

    async def write_error(self, mutation: str, values: Mapping[str, Any], *, key: str | None = None, resolution: Json | None = None) -> str:
        """The code of the one error of a mutation."""
        error = await self.graph.error(asks(mutation), input=dict(values), key=key, resolution=resolution)
        assert error.path == ["made"]
        assert error.extensions is not None
        return str(error.extensions["code"])

    async def model(self) -> Opportunity:
        """An open opportunity of the sandbox; its log is empty afterwards."""
        found = await an_open_one(self.ground)
        self.ground.control.calls.clear()
        return found

    async def new(self, **changes: Any) -> Json:
        """An input that creates an opportunity."""
        values = await values_like(self.ground, await an_open_one(self.ground))
        self.ground.control.calls.clear()
        return {"crm": self.key, **self.as_input(values), **changes}

    def as_input(self, values: OpportunityValues) -> Json:
        """Values as the graph's input has them."""
        found: Json = {}
        for name in ("title", "description", "amount", "expected_close_date", *_REFERENCES):
            value = getattr(values, name)
            if value is UNSET or value is None:
                continue
            if name in _REFERENCES:
                value = encode(_REFERENCES[name], Ref(self.key, value))
            elif isinstance(value, Money):
                value = {"amount": str(value.amount), "currency": value.currency}
            elif name == "expected_close_date":
                value = value.isoformat()
            first, *others = name.split("_")
            found[first + "".join(map(str.capitalize, others))] = value
        return found

    async def other_stage(self, current: Opportunity) -> str:
        """Global id of a stage that its opportunities can be moved to."""
        assert current.stage_ref is not None
        pipelines = await client_as(self.ground.crm, ReadsPipelines).pipelines()
        siblings = next(each.stages for each in pipelines if any(stage.ref == current.stage_ref for stage in each.stages))
        usable = await stages(self.ground)
        self.ground.control.calls.clear()
        return encode("Stage", next(stage.ref for stage in siblings if stage.ref != current.stage_ref and stage.ref in usable))

    def calls(self) -> list[Call]:
        return self.ground.control.calls

    def writes(self) -> list[Call]:
        """The calls that change something, as the sandbox saw them."""
        return [call for call in self.calls() if _is_write(self.vendor, call)]

    def creates(self) -> int:
        """How many calls the sandbox saw that create an opportunity."""
        return sum(call.operation == CREATE_OPERATIONS[self.vendor] for call in self.calls())

    def fail_creates(self, kind: FaultKind, *, times: int | None = None) -> None:
        """Let the calls that create an opportunity fail from now on."""
        self.ground.control.faults[:] = [Fault(kind=kind, match=CREATE_OPERATIONS[self.vendor], times=times)]

    def secrets(self) -> list[str]:
        """What no answer may hold, also as HTTP's basic authentication spells it."""
        settings = self.ground.crm.vendor.settings(**self.ground.sandbox.settings)
        values = [value.get_secret_value() for _, value in settings if isinstance(value, SecretStr)]
        names = [str(getattr(settings, "username", ""))]
        return [*values, *(base64.b64encode(f"{name}:{value}".encode()).decode() for name in names for value in values)]


def _is_write(vendor: str, call: Call) -> bool:
    if vendor == "sharpspring":
        return call.operation.startswith(("create", "update", "delete"))
    if vendor == "autotask":
        return call.method != "GET" and "query" not in call.path
    return call.method != "GET" and call.operation not in {"authentication", "batch"}


def errors(made: Json) -> list[tuple[list[str], str]]:
    """Path and code of every user error; each says what to do."""
    assert all(error["message"].endswith(".") for error in made["userErrors"])
    return [(error["path"], error["code"]) for error in made["userErrors"]]


def sent(call: Call) -> tuple[str, Any]:
    """Method and body of a call as the sandbox saw it."""
    return call.method, _body(call.body)


def planned(request: Json) -> tuple[str, Any]:
    """Method and body of a request as the graph shows it, digits as they are sent."""
    return request["method"], _body(json.dumps(request["body"], default=_number))


def _number(value: object) -> object:
    assert isinstance(value, Decimal)
    return float(value)


def _body(text: str) -> Any:
    try:
        return json.loads(text) if text not in {"", "null"} else None
    except ValueError:
        return text


@asynccontextmanager
async def desk(
    vendor: str,
    *,
    limits: Limits | None = None,
    options: Mapping[str, OptionValue] | None = None,
    settings: Mapping[str, object] | None = None,
    correlation_field: str | None = None,
) -> AsyncGenerator[Desk, None]:
    """A graph over one Crm of a vendor."""
    async with playground(vendor, options=options, settings=settings) as made:
        ground = replace(made, crm=replace(made.crm, correlation_field=correlation_field))
        yield Desk(Graph({ground.crm.key: ground}, limits=limits), ground)


async def crm_of(at: Desk, fields: str) -> Json:
    query = f"query($key: String!) {{ crm(key: $key) {{ {fields} }} }}"
    return dict((await at.graph.data(query, key=at.key))["crm"])


async def shown(at: Desk, global_id: str) -> Json | None:
    """An opportunity as another operation reads it."""
    found = await at.graph.data(f"query($id: ID!) {{ opportunity(id: $id) {{ {DEAL} }} }}", id=global_id)
    return None if found["opportunity"] is None else dict(found["opportunity"])
