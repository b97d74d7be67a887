"""Fee rules kept and ended, the provider's own figures booked, and how far the two are apart."""

from datetime import UTC, datetime

import pytest

pytestmark = pytest.mark.anyio
NOW = datetime.now(UTC)

# What merchants bear by the ledger, against what their payments show.
LEDGER = """
    select coalesce(sum(e.amount_minor), 0)::bigint as fees,
      coalesce(sum(e.amount_minor) filter (where g.kind = 'fee_adjustment'), 0)::bigint as learned
      from posting g join entry e on e.company_id = g.company_id and e.posting_id = g.id
     where g.kind in ('fee', 'fee_adjustment') and e.account like 'merchant:%'
"""
