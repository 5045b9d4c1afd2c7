from vendors.ledgerly.sandbox.routes import build
from vendors.ledgerly.sandbox.store import API_KEY
from vendors.sandbox import Option, SandboxKind

SANDBOX = SandboxKind(
    vendor="ledgerly",
    crm_key="ledger",
    label="The ledger",
    options={"numbers": Option(values=("number", "text"), default="number", hardest="text", meaning="how `worth` is sent")},
    build=build,
    settings=lambda base_url, options: {"base_url": base_url, "api_key": API_KEY},
)
