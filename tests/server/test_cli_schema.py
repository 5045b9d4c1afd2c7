"""`crmgraph schema`: prints the schema, and compares the committed one with the code."""

from pathlib import Path

from server.schema import SCHEMA_FILE, printed_schema
from tests.server.command_line import crmgraph


def test_the_schema_is_printed(tmp_path: Path) -> None:
    answer = crmgraph("schema", folder=tmp_path)

    assert answer.returncode == 0
    assert answer.stdout == printed_schema()


def test_the_committed_one_is_that_of_the_code(tmp_path: Path) -> None:
    answer = crmgraph("schema", "--check", folder=tmp_path)

    assert SCHEMA_FILE.exists()
    assert (answer.returncode, answer.stdout) == (0, "")


def test_another_schema_is_shown_as_a_difference_with_status_1(tmp_path: Path) -> None:
    (tmp_path / "old.graphql").write_text(printed_schema().replace("type Query", "type Qwery"))

    answer = crmgraph("schema", "--check", "--file", "old.graphql", folder=tmp_path)

    assert answer.returncode == 1
    assert "-type Qwery" in answer.stdout
    assert "+type Query" in answer.stdout


def test_a_missing_file_is_status_2(tmp_path: Path) -> None:
    answer = crmgraph("schema", "--check", "--file", "none.graphql", folder=tmp_path)

    assert answer.returncode == 2
    assert "none.graphql: cannot be read" in answer.stderr
