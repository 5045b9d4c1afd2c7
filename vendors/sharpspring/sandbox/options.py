"""The switches of this sandbox: facts that the vendor's pages leave open or that two clients saw differently."""

from vendors.sandbox import Option, OptionValue


def _option(meaning: str, *values: OptionValue, hardest: OptionValue | None = None) -> Option:
    """Make an option whose default is its first value, and whose hardest value is its last unless told otherwise."""
    return Option(values=values, default=values[0], hardest=hardest or values[-1], meaning=meaning)


OPTIONS: dict[str, Option] = {
    # Shapes of the envelope.
    "success_error": _option(
        "top-level `error` of a success: null, an empty list, or an object whose members are all null", "null", "list", "members"
    ),
    "object_errors": _option("top-level `error` when rows of a write failed: a copy of their errors, or as on success", "list", "null"),
    "success_flags": _option("`success` of a written row: a JSON boolean, or the text true or false", "boolean", "string"),
    "empty_map": _option("how an empty object is written: as an object, or as PHP writes it, `[]`", "object", "list"),
    "result_keys": _option("keys in `result`: those seen on the wire, or the plural ones of the documentation", "actual", "documented"),
    "has_more": _option("`hasMore` on list methods, inside `result` and beside it", "on", "off", hardest="on"),
    "call_count": _option("`callCount` and `queryLimit` in every answer", "on", "off"),
    # Shapes of values.
    "scalars": _option("ids and numbers as JSON strings or as JSON numbers", "string", "number"),
    "booleans": _option(
        'flags as "1" and "0", as 1 and 0, as true and false; `blank` leaves those at their default empty',
        "digits",
        "numbers",
        "json",
        "blank",
    ),
    "close_date": _option("closeDate with its time of day, or as a bare day", "datetime", "day"),
    "html_escape": _option("texts typed in the product come back HTML-escaped, `<` twice", "on", "off", hardest="on"),
    "pipeline_id": _option("`pipelineID` on deal stages", "absent", "present"),
    "opportunity_timestamps": _option("createTimestamp and updateTimestamp on opportunities", "absent", "present", hardest="absent"),
    # What reads do.
    "array_where": _option(
        "where a list of values is accepted in `where`; elsewhere it is code 210", "leads_only", "none", "all", hardest="none"
    ),
    "lead_ids_per_call": _option("ids that getLeads takes in one call; more is code 209 (500) or 222 (100)", "500", "100"),
    "not_found": _option("getOpportunity of an unknown id: an empty list, or code 404", "empty", "404"),
    "lead_without_id": _option("an unknown lead is answered with a row of defaults that has no id", "off", "on"),
    "inactive_rows": _option("opportunities with isActive 0 in lists and ranges", "hidden", "listed"),
    "page_limit_500": _option("pages of more than 200 rows work, or come back as a text that is no JSON", "ok", "fails"),
    "row_order": _option("order of rows in lists, by id", "ascending", "descending"),
    "range_paging": _option("limit and offset of the DateRange methods other than that of leads", "ignored", "works", hardest="ignored"),
    "range_bounds": _option("rows stamped with the very startDate or endDate of a DateRange method: in its answer, or not", "in", "out"),
    # What writes do.
    "update_stamp": _option(
        "what stamps an opportunity as updated: its creation and every change; only changes; or creation and changes by the API, not those"
        " that people make in the product",
        "every",
        "edits",
        "api",
    ),
    "close_date_required": _option("whether an opportunity can be created without closeDate", "on", "off", hardest="on"),
    "probability_default": _option("probability of an opportunity created without one: its stage's, or none", "stage", "none"),
    "closing": _option("stage and closing flags of an opportunity move independently, or each follows the other", "independent", "coupled"),
    "unknown_update": _option("updating an opportunity that does not exist: code 404, or a success that changes nothing", "404", "silent"),
    "deletes": _option("deleteOpportunities removes the row, or makes it inactive", "remove", "deactivate"),
    # Access and limits.
    "auth_failure": _option("wrong credentials: HTTP 401 with a text, or HTTP 200 with code 103, 104 or 105", "401", "105"),
    "rate_limit": _option("code 107 after ten calls, refilled at ten a second", "on", "off", hardest="on"),
    "rate_unit": _option("what the limit per second counts: requests, or the objects they write", "requests", "objects"),
}
