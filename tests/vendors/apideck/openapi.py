"""Checks answers and requests against the vendor's own OpenAPI file, named by the environment variable APIDECK_OPENAPI.

The file is OpenAPI 3.0, whose schemas are almost JSON Schema; the difference that matters, `nullable`, is converted once on loading.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import yaml
from jsonschema import Draft202012Validator, FormatChecker, ValidationError, validators
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

VARIABLE = "APIDECK_OPENAPI"
_URI = "urn:apideck:openapi"
_MAX_MESSAGE = 300
_METHODS_WITH_BODY = ("POST", "PATCH", "PUT")

Json = dict[str, Any]
Query = Iterable[tuple[str, str]]


def unavailable() -> str | None:
    """Why nothing can be checked here, or None when the file is there."""
    named = os.environ.get(VARIABLE)
    if not named:
        return f"set {VARIABLE} to Apideck's CRM OpenAPI file to check against it"
    return None if Path(named).is_file() else f"{VARIABLE} names no file: {named}"


def violations(method: str, path: str, *, status: int, body: object, partial: bool = False) -> list[str]:
    """What is wrong with an answer, by the document; empty when nothing is.

    Args:
        method: HTTP method of the request.
        path: Its path, or its whole URL.
        status: HTTP status of the answer.
        body: Its decoded JSON.
        partial: Whether the request selected `fields`, so that a record may lack what the document requires of whole ones.
    """
    operation = _document().operation(method, path)
    if operation is None:
        return [f"{method} {path} is not in the document"]
    answers = operation["responses"]
    if str(status) not in answers and status < 300:
        return [f"status {status} is not documented for {operation['operationId']}"]
    pointer = _document().content_pointer(answers.get(str(status), answers["default"]))
    return _document().problems(pointer, body, _PartialAnswer if partial else _Answer)


def request_violations(method: str, path: str, query: Query, headers: Mapping[str, str], body: object) -> list[str]:
    """What is wrong with a request, by the document; empty when nothing is. `body` is None for no body."""
    operation = _document().operation(method, path)
    if operation is None:
        return [f"{method} {path} is not in the document"]
    found: list[str] = []
    if operation.get("x-apideck-upcoming"):
        found.append(f"{operation['operationId']} is marked as upcoming")
    found += _header_violations(operation, headers, has_body=body is not None)
    found += _query_violations(operation, query)
    expected = operation.get("requestBody")
    if body is not None and expected is None:
        found.append(f"{operation['operationId']} takes no body")
    elif expected is not None:
        found += _document().problems(_document().content_pointer(expected, operation, "requestBody"), body, _Request)
    return found


def record_properties(path: str) -> dict[str, Json]:
    """The schemas of a record's keys, by the answer of the list at a path."""
    answer = _document().resolve(_operation("GET", path)["responses"]["200"])
    data = _document().resolve(answer["content"]["application/json"]["schema"])["properties"]["data"]
    record = _document().resolve(data["items"])
    return {name: _document().resolve(schema) for name, schema in record["properties"].items()}


def marks(schema: Json) -> tuple[bool, bool, bool]:
    """Whether a value may be null, is read-only, is write-only."""
    return schema.get("nullable", False), schema.get("readOnly", False), schema.get("writeOnly", False)


def list_keys(path: str) -> tuple[set[str], set[str]]:
    """The filter keys and the sort keys of the list at a path."""
    parameters = {
        parameter["name"]: _document().resolve(parameter["schema"]) for parameter in _parameters(_operation("GET", path), "query")
    }
    filters = parameters.get("filter", {}).get("properties", {})
    sorts = parameters.get("sort", {}).get("properties", {}).get("by", {}).get("enum", [])
    return set(filters), set(sorts)


def _operation(method: str, path: str) -> Json:
    operation = _document().operation(method, path)
    if operation is None:
        raise LookupError(f"{method} {path} is not in the document")
    return operation


def _header_violations(operation: Json, headers: Mapping[str, str], *, has_body: bool) -> Iterator[str]:
    given = {name.lower(): value for name, value in headers.items()}
    required = [parameter["name"] for parameter in _parameters(operation, "header") if parameter.get("required")]
    required += _document().security_headers
    for name in dict.fromkeys(required):
        if not given.get(name.lower()):
            yield f"header {name} is missing"
    if not given.get("authorization", "").startswith("Bearer "):
        yield "header Authorization is no bearer"
    if has_body and not given.get("content-type", "").startswith("application/json"):
        yield "header Content-Type is not application/json"


def _query_violations(operation: Json, query: Query) -> Iterator[str]:
    parameters = {parameter["name"]: parameter for parameter in _parameters(operation, "query")}
    deep: dict[str, Json] = {}
    for name, value in query:
        nested = re.fullmatch(r"(\w+)\[([^\[\]]+)\]", name)
        parameter = parameters.get(nested[1] if nested else name)
        if parameter is None or (parameter.get("style") == "deepObject") is not (nested is not None):
            yield f"query {name}: unknown parameter"
        elif nested:
            known = _document().resolve(parameter["schema"]).get("properties", {})
            deep.setdefault(nested[1], {})[nested[2]] = _coerced(value, known.get(nested[2], {}))
        else:
            yield from (f"query {name}: {problem}" for problem in _document().matches(_coerced(value, parameter["schema"]), parameter))
            if name == "fields":
                yield from _unknown_fields(operation, value)
    for name, values in deep.items():
        yield from (f"query {name}: {problem}" for problem in _document().matches(values, parameters[name]))


def _unknown_fields(operation: Json, value: str) -> Iterator[str]:
    answer = _document().resolve(operation["responses"]["200"])
    data = _document().resolve(_document().resolve(answer["content"]["application/json"]["schema"])["properties"]["data"])
    for path in value.split(","):
        schema = data
        for name in path.split("."):
            schema = _document().resolve(schema.get("items", schema))
            if name not in schema.get("properties", {}):
                yield f"query fields: {path!r} is not in the document"
                break
            schema = _document().resolve(schema["properties"][name])


def _parameters(operation: Json, place: str) -> list[Json]:
    resolved = [_document().resolve(parameter) for parameter in operation.get("parameters", [])]
    return [parameter for parameter in resolved if parameter["in"] == place]


def _coerced(value: str, schema: Json) -> object:
    """A query text as the value it stands for; as it is when it does not stand for one."""
    types = schema.get("type", [])
    wanted = cast("list[str]", types if isinstance(types, list) else [types])
    if "integer" in wanted and re.fullmatch(r"-?\d+", value):
        return int(value)
    if "number" in wanted and re.fullmatch(r"-?\d+(\.\d+)?", value):
        return float(value)
    if "boolean" in wanted and value in ("true", "false"):
        return value == "true"
    return value


def _forbidding(keyword: str, rule: str) -> Callable[..., Iterator[ValidationError]]:
    def check(_validator: object, forbidden: bool, _instance: object, _schema: object) -> Iterator[ValidationError]:  # noqa: FBT001
        if forbidden:
            yield ValidationError(rule, validator=keyword)

    return check


def _required_of_envelopes(validator: Any, required: list[str], instance: object, schema: object) -> Iterator[ValidationError]:
    if "status_code" in required:
        yield from Draft202012Validator.VALIDATORS["required"](validator, required, instance, schema)


# The library declares no types here.
_extend = cast("Callable[[Any, Mapping[str, object]], Any]", cast("Any", validators).extend)
_Answer = _extend(Draft202012Validator, {"writeOnly": _forbidding("writeOnly", "is write-only")})
_PartialAnswer = _extend(_Answer, {"required": _required_of_envelopes})
_Request = _extend(Draft202012Validator, {"readOnly": _forbidding("readOnly", "is read-only")})


class _Document:
    """The loaded file."""

    def __init__(self, content: Json) -> None:
        self._content = cast("Json", _as_json_schema(content))
        resource = Resource.from_contents(self._content, default_specification=DRAFT202012)
        self._registry: Registry[Any] = Registry[Any]().with_resource(_URI, resource)
        self._paths = [(re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path)), path) for path in self._content["paths"]]
        schemes = self._content["components"]["securitySchemes"]
        self.security_headers = [schemes[name]["name"] for name in self._content["security"][0]]

    def operation(self, method: str, path: str) -> Json | None:
        """What the document says of a request; a path without variables wins over one with them."""
        plain = urlsplit(path).path
        templates = sorted(
            (template for pattern, template in self._paths if pattern.fullmatch(plain)), key=lambda template: "{" in template
        )
        for template in templates:
            operation = self._content["paths"][template].get(method.lower())
            if operation is not None:
                return cast("Json", {**operation, "pointer": f"#/paths/{template.replace('/', '~1')}/{method.lower()}"})
        return None

    def resolve(self, node: Json) -> Json:
        """Follow a `$ref` to what it stands for."""
        while "$ref" in node:
            target: Any = self._content
            for step in node["$ref"].removeprefix("#/").split("/"):
                target = target[step]
            node = target
        return node

    def content_pointer(self, node: Json, operation: Json | None = None, key: str = "") -> str:
        """Where the JSON schema of an answer or a request body is."""
        base = node["$ref"] if "$ref" in node else f"{(operation or {})['pointer']}/{key}"
        return f"{base}/content/application~1json/schema"

    def matches(self, value: object, parameter: Json) -> list[str]:
        """What is wrong with the value of a query parameter."""
        schema = parameter["schema"]
        return self._errors({"$ref": _URI + schema["$ref"]} if "$ref" in schema else schema, value, Draft202012Validator)

    def problems(self, pointer: str, value: object, validator: Any) -> list[str]:
        """What is wrong with a body."""
        return self._errors({"$ref": f"{_URI}{pointer}"}, value, validator)

    def _errors(self, schema: Json, value: object, validator: Any) -> list[str]:
        errors: Iterable[ValidationError] = validator(schema, registry=self._registry, format_checker=FormatChecker()).iter_errors(value)
        return [f"{'/'.join(map(str, error.absolute_path)) or 'body'}: {error.message[:_MAX_MESSAGE]}" for error in errors]


def _as_json_schema(node: object) -> object:
    """OpenAPI 3.0 to JSON Schema: `nullable` becomes a type and an enum value, siblings of `$ref` have no meaning."""
    if isinstance(node, list):
        return [_as_json_schema(item) for item in cast("list[object]", node)]
    if not isinstance(node, dict):
        return node
    given = cast("Json", node)
    if isinstance(given.get("$ref"), str):
        return {"$ref": given["$ref"]}
    made: Json = {key: _as_json_schema(value) for key, value in given.items() if key not in ("example", "examples")}
    if given.get("nullable") is True:
        if isinstance(made.get("type"), str):
            made["type"] = [made["type"], "null"]
        if isinstance(made.get("enum"), list):
            made["enum"] = [*made["enum"], None]
    return made


@lru_cache(maxsize=1)
def _document() -> _Document:
    return _Document(yaml.load(Path(os.environ[VARIABLE]).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader))
