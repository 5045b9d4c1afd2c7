"""Rows that an index tells and that cannot be read then."""

import time
from typing import Any

from bench.company import contexts, memory_crm, memory_of
from server.limits import Limits, operation_extensions
from server.schema import build_schema
from vendors.errors import UnavailableError

SORTED = '{ opportunities(first: 3, orderBy: [{field: AMOUNT, currency: "EUR"}]) { nodes { title } sources { status code message } } }'


async def test_the_source_says_why_they_are_left_out() -> None:
    crm = memory_crm("left", opportunities=5)

    async def reply(operation: str, found: dict[str, Any]) -> dict[str, Any]:
        return dict.fromkeys(found, UnavailableError("It is down.", crm="left")) if operation == "opportunities" else found

    memory_of(crm).reply = reply
    schema = build_schema(operation_extensions(Limits(), clock=time.monotonic))

    result: Any = await schema.execute(SORTED, context_value=contexts([crm])())

    assert result.errors is None, result.errors
    assert result.data["opportunities"]["nodes"] == []
    assert result.data["opportunities"]["sources"] == [{"status": "PARTIAL", "code": "UNAVAILABLE", "message": "It is down."}]
