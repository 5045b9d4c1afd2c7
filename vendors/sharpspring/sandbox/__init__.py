"""A Lead Gen & CRM (SharpSpring) account that lives in this process: pubapi v1 and v1.2 over real HTTP.

`routes` is the wire (one URL, credentials, envelope, throttling), `methods` the method table, `answers` and `values` the shapes of what
is said, `store` the state and its rules, `leads` the habits of lead writes, `board` the people who move deals, `scale` a bigger company
than the seed.
"""

from collections.abc import Mapping

from vendors.sandbox import OptionValue, SandboxKind
from vendors.sharpspring.sandbox.options import OPTIONS
from vendors.sharpspring.sandbox.routes import ACCOUNT_ID, SECRET_KEY, build


def settings(base_url: str, options: Mapping[str, OptionValue]) -> dict[str, object]:
    """Return the settings of a Crm that talks to this sandbox; no option changes them."""
    del options
    return {"base_url": base_url, "account_id": ACCOUNT_ID, "secret_key": SECRET_KEY, "currency": "NOK", "api_version": "v1.2"}


SANDBOX = SandboxKind(
    vendor="sharpspring",
    crm_key="nordic",
    label="Nordkai Nordic (Lead Gen & CRM)",
    options=OPTIONS,
    build=build,
    settings=settings,
    not_simulated=(
        "TLS, and HTTP on another host than loopback",
        "pushes to subscribed URLs (the URL is kept) and form postbacks",
        "lead processing: scoring, automations, lists, e-mails, and the change of leadStatus when a lead joins an opportunity",
        "probabilities as a fraction of one; they are percentages here",
        "creating and updating fields, campaigns, users and sub-accounts",
        "a body that is a bare [], and answers that change shape between two calls",
        "what the product may change by itself when people move or close a deal: probability and closeDate stay",
        "what happens to records that refer to a deleted account or lead; their references stay as they are",
    ),
)
