"""Runs the tests of graphql-core's execution and of Strawberry's schemas with our executor in the place of theirs.

    python -m bench.suites --graphql-core CHECKOUT --strawberry CHECKOUT --packages FOLDER

A checkout is an unpacked source of the version that is installed (or of one close by: only what fails with our executor and not without it
counts). Every suite runs twice, and the report names each test that fails only with ours, and how many operations went which way.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest

REPORT: Final = "SUITES_REPORT"
OURS: Final = "SUITES_OURS"
PACKAGES: Final = "SUITES_PACKAGES"
LEAST_BY_LEVEL: Final = 272

Outcomes = dict[str, str]


@dataclass(frozen=True, slots=True)
class Suite:
    """A library's tests: which of them, and where in its checkout."""

    name: str
    folders: tuple[str, ...]


GRAPHQL_CORE: Final = Suite("graphql-core", ("tests/execution",))
STRAWBERRY: Final = Suite("strawberry", ("tests/schema",))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.suites", description="Run the libraries' own tests with our executor.")
    parser.add_argument("--graphql-core", type=Path, help="a checkout of graphql-core")
    parser.add_argument("--strawberry", type=Path, help="a checkout of Strawberry")
    parser.add_argument("--packages", type=Path, help="where what their tests need is installed, such as pytest-describe")
    given = parser.parse_args()
    if given.packages is not None:
        os.environ[PACKAGES] = str(given.packages)
    is_fine = True
    for suite, checkout in ((GRAPHQL_CORE, given.graphql_core), (STRAWBERRY, given.strawberry)):
        if checkout is not None:
            is_fine = compare(suite, checkout) and is_fine
    return 0 if is_fine else 1


def compare(suite: Suite, checkout: Path) -> bool:
    """Run a suite both ways and print what differs; tell whether nothing is worse with ours."""
    stock, _ = run(suite, checkout, ours=False)
    ours, gone = run(suite, checkout, ours=True)
    worse = sorted(test for test, outcome in ours.items() if outcome == "failed" and stock.get(test) != "failed")
    missing = sorted(stock.keys() - ours.keys())
    quick, repeated, by_core = (gone.get(way, 0) for way in ("quick", "repeated", "stock"))
    by_level = quick + repeated
    print(f"{suite.name}: {_counted(stock)} without, {_counted(ours)} with our executor")
    print(
        f"  operations that were resolved level by level: {by_level}, of which {quick} were shown so as well and {repeated} had an error"
        f" and were completed by graphql-core over what was found; by graphql-core alone: {by_core}"
    )
    for test in (*worse, *missing):
        print(f"  only with ours: {test}")
    is_enough = suite is not GRAPHQL_CORE or by_level >= LEAST_BY_LEVEL
    return bool(stock) and not worse and not missing and is_enough


def run(suite: Suite, checkout: Path, *, ours: bool) -> tuple[Outcomes, Mapping[str, int]]:
    """Run a suite in a process of its own: outcomes by test, and how many operations of it went which way."""
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get(PACKAGES, "")])
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        environment = os.environ | {REPORT: report.name, OURS: suite.name if ours else "", "PYTHONPATH": path}
        command = [sys.executable, "-P", "-m", "pytest", "-p", "bench.suites", "-q", "--no-header", "--tb=no", *suite.folders]
        options = ["-p", "no:cacheprovider", "-o", "addopts=", "-o", "asyncio_mode=auto", "-W", "ignore", "--continue-on-collection-errors"]
        done = subprocess.run([*command, *options], cwd=checkout, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
        text = Path(report.name).read_text()
    if not text:
        raise SystemExit(f"{suite.name} did not run:\n{done.stdout[-3_000:]}{done.stderr[-3_000:]}")
    found = json.loads(text)
    return found["outcomes"], found["gone"]


def _counted(outcomes: Outcomes) -> str:
    counts = Counter(outcomes.values())
    return f"{counts['passed']} pass and {counts['failed']} fail"


if REPORT in os.environ:
    for library in ("graphql", "strawberry"):
        import_module(library)  # the installed one, before the checkout's own comes into reach


class _Journal:
    """The part of this module that runs within pytest: it puts our executor in place and writes down what came of every test."""

    def __init__(self) -> None:
        self.outcomes: Outcomes = {}
        self.gone: Counter[Any] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.outcomes[report.nodeid] = "failed"
        elif report.when == "call":
            self.outcomes.setdefault(report.nodeid, report.outcome)

    def pytest_sessionfinish(self) -> None:
        Path(os.environ[REPORT]).write_text(json.dumps({"outcomes": self.outcomes, "gone": self.gone}))


def pytest_configure(config: pytest.Config) -> None:
    if REPORT not in os.environ:
        return
    journal = _Journal()
    config.pluginmanager.register(journal)
    if os.environ[OURS] == GRAPHQL_CORE.name:
        _replace_core_executors(journal)
    elif os.environ[OURS] == STRAWBERRY.name:
        _replace_default_executor(journal)


def _replace_core_executors(journal: _Journal) -> None:
    from server.execution.executor import BreadthFirstExecutor  # noqa: PLC0415  # only what a run of a suite needs
    from server.execution.plans import Plans  # noqa: PLC0415  # as above

    plans = Plans()
    journal.gone = plans.gone
    core: Any = import_module("graphql")
    executing: Any = import_module("graphql.execution.execute")
    throwing: Any = executing.ExecutorThrowingOnIncremental
    payloads: str = import_module("graphql.execution.executor").UNEXPECTED_MULTIPLE_PAYLOADS
    base: Any = BreadthFirstExecutor

    def refuse_deferred_roots(self: Any, *args: Any) -> Any:
        """Refuse incremental delivery, as `execute` does."""
        return throwing.execute_collected_root_fields(self, *args) if args[-1] else base.execute_collected_root_fields(self, *args)

    def refuse_streams(self: Any, return_type: Any, details: Any, info: Any, path: Any, *rest: Any) -> Any:
        if self.get_stream_usage(details, path) is not None:
            raise core.GraphQLError(payloads)
        return base.complete_list_value(self, return_type, details, info, path, *rest)

    # Resolvers get the info that graphql-core gives them, and not Strawberry's.
    common = {"plans": plans, "build_resolve_info": executing.IncrementalExecutor.build_resolve_info}
    refusing = {
        "execute_collected_root_fields": refuse_deferred_roots,
        "execute_collected_subfields": throwing.execute_collected_subfields,
        "complete_list_value": refuse_streams,
    }
    executing.IncrementalExecutor = type("Ours", (BreadthFirstExecutor,), common)
    executing.ExecutorThrowingOnIncremental = type("OursThrowing", (BreadthFirstExecutor,), common | refusing)


def _replace_default_executor(journal: _Journal) -> None:
    from server.execution.executor import executor_class  # noqa: PLC0415  # as above
    from server.execution.plans import Plans  # noqa: PLC0415  # as above

    strawberry_schema: Any = import_module("strawberry.schema.schema")
    initialise: Any = strawberry_schema.Schema.__init__

    def with_ours(self: Any, *args: Any, **kwargs: Any) -> None:
        initialise(self, *args, **kwargs)
        if self.execution_context_class in {None, strawberry_schema.StrawberryGraphQLCoreExecutionContext}:
            plans = Plans()
            plans.gone = journal.gone
            self.execution_context_class = executor_class(plans)

    strawberry_schema.Schema.__init__ = with_ours


if __name__ == "__main__":
    raise SystemExit(main())
