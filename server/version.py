"""The version of this installation."""

from importlib.metadata import PackageNotFoundError, version


def product_version() -> str:
    """Tell the version, as the User-Agent of vendor calls and `crmgraph --version` say it."""
    try:
        return version("crmgraph")
    except PackageNotFoundError:  # run from its source folder
        return "0+source"
