"""A sixth vendor is one folder: tried for real, in a copy of the project."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent / "ledgerly"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project with the folder put into it, and nothing else changed."""
    for name in ("server", "resolvers", "vendors"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules", "dist"))
    shutil.copytree(ROOT / "tests" / "contract", tmp_path / "tests" / "contract", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("tests/__init__.py", "tests/playground.py", "pyproject.toml", "schema.graphql", "README.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(FOLDER, tmp_path / "vendors" / "ledgerly")
    return tmp_path


def run(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(  # noqa: S603  # our own interpreter on our own copy
        [sys.executable, *arguments], cwd=copy, env={**environment, "PYTHONPATH": str(copy)}, capture_output=True, text=True, check=False
    )


def test_the_folder_alone_passes_the_contract(copy: Path) -> None:
    done = run(copy, "-m", "pytest", "tests/contract", "-q", "-k", "ledgerly", "-p", "no:cacheprovider")

    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout
    assert "failed" not in done.stdout


def test_its_own_field_and_name_are_in_the_schema(copy: Path) -> None:
    done = run(copy, "-c", "from server.schema import printed_schema; print(printed_schema())")

    assert done.returncode == 0, done.stderr
    assert "ledgerly: LedgerlyOpportunityFields" in done.stdout
    assert '"""Shelf that the paper stands on."""' in done.stdout
    assert "  LEDGERLY\n" in done.stdout


def test_what_it_costs_is_what_the_readme_says() -> None:
    lines = sum(len(path.read_text().splitlines()) for path in sorted(FOLDER.rglob("*")) if path.suffix in {".py", ".toml", ".json"})

    assert f"{lines} lines" in (ROOT / "README.md").read_text()
