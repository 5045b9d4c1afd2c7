"""Rules of the house that no tool knows."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import GraphQLEnumType, GraphQLInterfaceType, GraphQLObjectType, GraphQLSchema

from server.schema import SCHEMA_FILE, build_schema, printed_schema
from vendors.registry import all_sandboxes, all_vendors

ROOT = Path(__file__).parents[1]
PACKAGES = ("server", "resolvers", "vendors")
VENDOR_FOLDERS = sorted(path.parent for path in (ROOT / "vendors").glob("*/__init__.py"))
VOCABULARY = {"__init__.py", "settings.py", "client.py", "wire.py", "mapping.py", "extension.py", "quality.toml"}


def sources(*folders: Path) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(path for path in folder.rglob("*.py") if "node_modules" not in path.parts)


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return names


@pytest.mark.parametrize("folder", VENDOR_FOLDERS, ids=lambda folder: folder.name)
def test_every_vendor_speaks_one_vocabulary_of_files(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} >= VOCABULARY
    assert {path.name for path in (folder / "sandbox").iterdir()} >= {"__init__.py", "routes.py", "store.py", "seed.json"}
    assert folder.name in all_vendors()
    assert folder.name in all_sandboxes()


@pytest.mark.parametrize("folder", VENDOR_FOLDERS, ids=lambda folder: folder.name)
def test_a_sandbox_imports_nothing_of_its_adapter(folder: Path) -> None:
    for path in sources(folder / "sandbox"):
        for name in imported(path):
            if name.startswith("vendors"):
                assert name.startswith(("vendors.sandbox", f"vendors.{folder.name}.sandbox")) or name == "vendors", f"{path}: {name}"


@pytest.mark.parametrize("folder", VENDOR_FOLDERS, ids=lambda folder: folder.name)
def test_an_adapter_imports_nothing_of_a_sandbox_or_of_another_vendor(folder: Path) -> None:
    others = [other.name for other in VENDOR_FOLDERS if other != folder]
    for path in folder.glob("*.py"):
        for name in imported(path):
            assert "sandbox" not in name, f"{path}: {name}"
            assert not name.startswith(tuple(f"vendors.{other}" for other in others)), f"{path}: {name}"


def test_no_vendor_is_named_outside_its_folder() -> None:
    words = re.compile("|".join(all_vendors()), re.IGNORECASE)
    shared = [*(ROOT / "vendors").glob("*.py"), *sources(ROOT / "resolvers", ROOT / "server")]
    for path in shared:
        if path.name == "examples.py":  # queries for people, who do meet vendors' names
            continue
        code = ast.parse(path.read_text())
        docstrings = {id(node.body[0].value) for node in ast.walk(code) if _has_docstring(node)}  # type: ignore[attr-defined]  # just checked
        for node in ast.walk(code):
            text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings else ""
            name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
            assert not words.search(text + name), f"{path}:{getattr(node, 'lineno', 0)} names a vendor: {text + name!r}"


def test_only_the_server_reads_the_clock_the_environment_and_files() -> None:
    forbidden = {
        "os.environ",
        "os.getenv",
        "time.time",
        "time.monotonic",
        "datetime.now",
        "date.today",
        "random.random",
        "secrets.token_bytes",
    }
    for path in [*(ROOT / "vendors").glob("*.py"), *(ROOT / "vendors").glob("*/*.py"), *sources(ROOT / "resolvers")]:
        if path.name == "sandbox.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                assert ast.unparse(node) not in forbidden, f"{path}:{node.lineno} uses {ast.unparse(node)}"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "open", f"{path}:{node.lineno} opens a file"


def test_the_schema_file_equals_the_code() -> None:
    assert SCHEMA_FILE.read_text() == printed_schema(), "run `crmgraph schema > schema.graphql`"


def test_everything_in_the_schema_is_described() -> None:
    schema: GraphQLSchema = build_schema()._schema  # pyright: ignore[reportPrivateUsage]  # it has no public name
    for name, kind in schema.type_map.items():
        if name.startswith("__") or name in {"String", "Int", "Float", "Boolean", "ID"}:
            continue
        assert kind.description, name
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            for field_name, field in kind.fields.items():
                assert field.description, f"{name}.{field_name}"
                for argument_name, argument in field.args.items():
                    assert argument.description, f"{name}.{field_name}({argument_name}:)"
        if isinstance(kind, GraphQLEnumType):
            for value_name, value in kind.values.items():
                assert value.description, f"{name}.{value_name}"


def _has_docstring(node: ast.AST) -> bool:
    body = getattr(node, "body", None)
    return (
        isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and bool(body)
        and isinstance(node.body[0], ast.Expr)
        and isinstance(node.body[0].value, ast.Constant)
    )
