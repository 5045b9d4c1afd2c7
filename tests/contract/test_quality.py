"""Every vendor says what it can do, and says it once."""

from pathlib import Path

import pytest

from tests.contract.conftest import VENDORS
from vendors.capabilities import Capability, capabilities_of
from vendors.quality import QualityState, quality_of
from vendors.registry import all_sandboxes, all_vendors

TESTS = "\n".join(path.read_text() for path in Path(__file__).parents[1].rglob("test_*.py"))


@pytest.mark.parametrize("name", VENDORS)
def test_every_capability_is_stated_once_and_truly(name: str) -> None:
    quality = quality_of(name)
    able = capabilities_of(all_vendors()[name].client)

    assert set(quality.capabilities) == {capability.value for capability in Capability}
    for capability in Capability:
        fact = quality.capabilities[capability.value]
        assert (fact.state is QualityState.SUPPORTED) == (capability in able), capability
        assert fact.source


@pytest.mark.parametrize("name", VENDORS)
def test_what_is_supported_names_a_test_that_exists(name: str) -> None:
    for capability, fact in quality_of(name).capabilities.items():
        if fact.state is QualityState.SUPPORTED:
            assert fact.test and f"def {fact.test}(" in TESTS, capability


@pytest.mark.parametrize("name", VENDORS)
def test_what_is_unconfirmed_says_how_it_is_coped_with(name: str) -> None:
    for fact in quality_of(name).facts.values():
        assert fact.state is not QualityState.UNCONFIRMED or fact.note


@pytest.mark.parametrize("name", VENDORS)
def test_every_option_of_the_sandbox_says_what_it_means(name: str) -> None:
    for option in all_sandboxes()[name].options.values():
        assert option.meaning
        assert len(option.values) >= 2
