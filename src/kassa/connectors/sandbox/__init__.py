"""A pretend card provider with books and money code of its own; the core meets it only in
`connector.py`, as it would meet any company outside."""

from kassa.connectors.declared import ReportFormat
from kassa.connectors.kind import Kind
from kassa.payments.domain.payments import Method

KIND = Kind(
    name="sandbox",
    title="Sandbox",
    connector="kassa.connectors.sandbox.connector:SandboxConnector",
    fields=(),
    methods=frozenset({Method.CREDIT_CARD}),
    currencies=None,
    takes=frozenset({"number", "token"}),
    token_prefix="pm_sandbox_",
    addable=False,
    reports={
        "sandbox": ReportFormat(
            reader="kassa.connectors.sandbox.report_file:read_sandbox", tells_fees=True
        )
    },
)
