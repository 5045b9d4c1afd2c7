"""What `make` says to whoever runs it for the first time."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.server.command_line import ROOT


def test_a_python_that_can_make_no_environment_is_told_and_no_recipe_is_shown(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    for needed in ("requirements.lock", "pyproject.toml"):
        (tmp_path / needed).touch()

    plain = {name: value for name, value in os.environ.items() if "MAKE" not in name and name != "MFLAGS"}  # the tests are run by make, too
    made = subprocess.run(["make", "demo", "PYTHON=false"], cwd=tmp_path, env=plain, capture_output=True, text=True, check=False)  # noqa: S607  # from the path

    assert made.returncode == 2
    assert made.stdout == ""
    assert made.stderr.startswith("make: false cannot make environments; on Debian and Ubuntu install python3-venv\n")
