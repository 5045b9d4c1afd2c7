"""What the README's scripts need, installed once."""

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def npm_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the npm packages that the README's scripts import."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("no node and npm on the PATH: the README's scripts are not run")
    folder = tmp_path_factory.mktemp("scripts")
    for name in ("package.json", "package-lock.json", "browser.mjs", "impatient.mjs"):
        shutil.copy(HERE / name, folder)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603  # a command of this file
    assert done.returncode == 0, done.stderr
    return folder
