"""The README is the product's front door: what it shows is run, and what it says is compared with the data."""

import asyncio
import json
import re
import tomllib
from collections.abc import AsyncGenerator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from graphql import GraphQLInputObjectType, GraphQLSchema, OperationDefinitionNode, parse, validate
from pydantic import BaseModel

from server.changes.settings import ChangeSettings
from server.config import parse_config
from server.config_crms import CrmSettings
from server.config_server import ServerSettings
from server.limits.cost import cost
from server.limits.model import Limits
from server.schema import build_schema
from tests.live import Live, live
from tests.readme import tables
from vendors.registry import all_vendors
from vendors.sandbox import Fault

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    return [text for kind, text in BLOCKS if kind == language]


def followed_by_json(language: str) -> list[tuple[str, Any]]:
    """Blocks of a language, each with the JSON block right behind it."""
    return [
        (text, json.loads(BLOCKS[index + 1][1]))
        for index, (kind, text) in enumerate(BLOCKS[:-1])
        if kind == language and BLOCKS[index + 1][0] == "json"
    ]


@pytest.fixture
async def running() -> AsyncGenerator[Live, None]:
    async with live() as it:
        yield it


UNANSWERED = "mutation Unanswered"
FOLLOWS = "opportunityStageChanged"
WATCHED = ("subscription Moves", "query History", "query Log", "query Watched")
"""What is asked of a server that watches; see `test_readme_changes`."""
QUERIES = [(query, answer) for query, answer in followed_by_json("graphql") if not query.startswith((UNANSWERED, *WATCHED))]


@pytest.mark.parametrize(("query", "expected"), QUERIES, ids=[query.split()[1] for query, _ in QUERIES])
async def test_every_query_gives_the_answer_that_stands_below_it(query: str, expected: Any, running: Live) -> None:
    """Each is asked of a server that has just started and has kept nothing yet."""
    answer = await answer_to(query, running)
    answer.pop("extensions", None)  # warnings about odd data of the sandboxes, which the README leaves out

    assert answer == expected


def test_every_query_has_an_answer_below_it() -> None:
    assert len(QUERIES) == len(blocks("graphql")) - 1 - len(WATCHED) == 8


async def test_a_write_without_an_answer_goes_as_it_is_told(running: Live) -> None:
    """The connection is cut while the CRM answers: it has written, and nobody has heard it."""
    [place] = [number for number, (kind, text) in enumerate(BLOCKS) if kind == "graphql" and text.startswith(UNANSWERED)]
    query, *told_answers = [text for _, text in BLOCKS[place : place + 3]]
    control = running.sandboxes["dach"].control
    control.faults.append(Fault(kind="reset_mid_body", match="POST Opportunities", times=1))

    answers = [await answer_to(query, running) for _ in told_answers]
    candidate = answers[1]["data"]["createOpportunity"]["candidates"][0]["id"]
    adopted = await answer_to(query, running, resolution={"adopt": candidate})
    replayed = await answer_to(query, running)

    for answer, told_answer in zip(answers, told_answers, strict=True):
        assert without_new_id(answer) == without_new_id(json.loads(told_answer))
    assert [answer["data"]["createOpportunity"]["outcome"] for answer in (adopted, replayed)] == ["ADOPTED", "REPLAYED"]
    assert [call.operation for call in control.calls if call.method != "GET"] == ["POST Opportunities"]


def without_new_id(answer: Any) -> Any:
    """An answer without the id that the sandbox has made up, and without warnings."""
    answer.pop("extensions", None)
    payload = answer["data"]["createOpportunity"]
    candidates: list[dict[str, Any]] = [] if payload is None else payload["candidates"]
    for candidate in candidates:
        assert candidate.pop("id")
    return answer


async def test_every_mistake_gives_what_its_table_says(running: Live) -> None:
    rows = re.findall(r"^\| `(.+)` \| (no rows|[A-Z_]+)\b.*\|$", README, re.MULTILINE)
    assert len(rows) == 13

    for arguments, expected in rows:
        answer = await answer_to(f"{{ opportunities({arguments}) {{ nodes {{ id }} }} }}", running)
        assert told(answer) == expected, arguments


def told(answer: Any) -> str | None:
    """The code of the error, or that there are no rows."""
    if "errors" in answer:
        return str(answer["errors"][0]["extensions"]["code"])
    return None if answer["data"]["opportunities"]["nodes"] else "no rows"


async def answer_to(query: str, running: Live, **variables: object) -> Any:
    request = {"query": query, "variables": variables}
    async with aiohttp.ClientSession() as session, session.post(running.url, json=request) as response:
        return await response.json()


async def test_every_script_prints_the_answer_that_stands_below_it(running: Live, npm_folder: Path) -> None:
    scripts = [(script, expected) for script, expected in followed_by_json("js") if FOLLOWS not in script]
    assert len(scripts) == len(blocks("js")) - 3 == 2

    for number, (script, expected) in enumerate(scripts):
        file = npm_folder / f"script{number}.mjs"
        file.write_text(script.replace("http://127.0.0.1:8000", running.origin))
        assert json.loads(await output_of("node", str(file), folder=npm_folder)) == expected


async def output_of(*command: str, folder: Path) -> str:
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return output.decode()


def test_the_configuration_has_an_entry_for_every_vendor_and_no_mistake() -> None:
    [text] = blocks("toml")
    names = dict.fromkeys(re.findall(r'_env = "(\w+)"', text), "value")

    config = parse_config(tomllib.loads(text), names, folder=ROOT)

    assert {crm.vendor.key for crm in config.crms.values()} == set(all_vendors())


def test_the_settings_of_scans_have_the_defaults_that_stand_there() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([\d,]+) \|", README, re.MULTILINE)

    told_defaults = {name: float(default.replace(",", "")) for name, default in rows}
    assert told_defaults == {
        name: field.default for name, field in CrmSettings.model_fields.items() if name.startswith(("scan_", "index_"))
    }


def test_the_settings_of_writes_and_changes_exist_and_have_the_defaults_that_stand_there() -> None:
    models: dict[str, type[BaseModel]] = {"server": ServerSettings, "crms.x": CrmSettings}
    models |= {key: vendor.settings for key, vendor in all_vendors().items()}
    defaults: dict[str, Mapping[str, object]] = {
        place: {name: field.default for name, field in model.model_fields.items()} for place, model in models.items()
    }
    defaults["changes"] = {field.name: field.default for field in fields(ChangeSettings)}
    rows = re.findall(r"^\| (`(?:\w+)\.[\w.]+`[^|]*) \| ([^|]*)\| [^|]+ \|$", README, re.MULTILINE)
    assert len(rows) == 9 + 11

    told_names: set[str] = set()
    for names, default in rows:
        for name in re.findall(r"`([\w.]+)`", names):
            place, _, setting = name.rpartition(".")
            assert default.strip(" `").replace(",", "") == written(defaults[place][setting]), name
            told_names.add(name)
    assert {f"changes.{name}" for name in defaults["changes"]} <= told_names


def written(default: object) -> str:
    """A default as the README writes it; nothing where there is none."""
    if default is None or default == ():
        return ""
    return f"{default:g}" if isinstance(default, float) else str(default).lower()


def test_the_settings_of_the_server_are_those_that_stand_there() -> None:
    page = (ROOT / "docs" / "deployment.md").read_text()

    told_defaults = dict(re.findall(r"^\| `(\w+)` \| ([^|]*?) ?\| [^|]+ \|$", page, re.MULTILINE))

    assert told_defaults == {name: written(field.default) for name, field in ServerSettings.model_fields.items()}


def graphql_schema() -> GraphQLSchema:
    return build_schema()._schema  # pyright: ignore[reportPrivateUsage] - Strawberry has no public name for it


def test_the_filters_of_subscriptions_are_arguments_that_exist() -> None:
    shown = re.findall(r"`((opportunity(?:Stage)?Changed)\(.+?\))`", README)
    schema = graphql_schema()
    subscriptions = schema.subscription_type
    log = schema.type_map["StageChangeFilter"]
    assert subscriptions is not None
    assert isinstance(log, GraphQLInputObjectType)

    assert {name for _, name in shown} == {"opportunityStageChanged", "opportunityChanged"}
    for field, _ in shown:
        assert validate(schema, parse(f"subscription {{ {field} {{ cursor }} }}")) == []
    for name, sentence in (
        ("opportunityStageChanged", r"It takes (.+?);"),
        ("opportunityChanged", r"of the filters only (.+?),\s+and one of its own"),
    ):
        [told_names] = re.findall(sentence, README, re.DOTALL)
        own = ["kinds"] if name == "opportunityChanged" else []
        assert {*re.findall(r"`(\w+)`", told_names), *own} == subscriptions.fields[name].args.keys() - {"after"}
    assert log.fields.keys() == subscriptions.fields["opportunityStageChanged"].args.keys() - {"after"}


def test_an_operation_costs_what_stands_there() -> None:
    [(most, setting)] = re.findall(r"may be ([\d,]+) \(`(\w+)`\)", README)
    [(query, told_cost)] = re.findall(r"`(\{ [^`]+ \})` costs ([\d,]+):", README)
    document = parse(query)
    [operation] = document.definitions
    assert isinstance(operation, OperationDefinitionNode)

    assert getattr(Limits(), setting) == int(most.replace(",", ""))
    assert cost(document, operation, {}, graphql_schema()) == int(told_cost.replace(",", ""))


async def test_the_tables_are_those_of_the_data() -> None:
    assert await tables.inputs() in README, "python -m tests.readme.tables prints it"
    assert await tables.pushdowns() in README, "python -m tests.readme.tables prints it"
    assert tables.capabilities() in README, "python -m tests.readme.tables prints it"
    assert tables.limits() in README, "python -m tests.readme.tables prints it"
    assert tables.calls() in README, "python -m tests.readme.tables prints it"
    assert await tables.watching() in README, "python -m tests.readme.tables prints it"


def test_every_command_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"(?:`|\$ )make ([a-z]+)\b", README):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    commands = {path.stem for path in (ROOT / "server" / "commands").glob("*.py")} | {"demo"}
    for command in re.findall(r"(?:`|\$ )crmgraph ([a-z]+)", README):
        assert command in commands, command


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_every_link_leads_to_a_file(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        assert target.startswith("https://") or (page.parent / target).exists(), target
    for target, anchor in re.findall(r"\]\(([\w./-]*)#([^)]+)\)", page.read_text()):
        text = ((page.parent / target) if target else page).read_text()
        assert anchor in {re.sub(r"[^\w-]", "", title.lower().replace(" ", "-")) for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
