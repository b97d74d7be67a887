"""All bugs that are sown, by what they are about."""

from collections.abc import Mapping

from tests.sown import (
    agreements,
    guards,
    hidden,
    limits,
    money,
    people,
    proof,
    records,
    reports,
    rights,
    sides,
    strangers,
    transfers,
    upgrade,
    waiting,
    wallet,
)
from tests.sown.sowing import Mutation

LISTS: Mapping[str, tuple[Mutation, ...]] = {
    "money": (*money.MUTATIONS, *transfers.MUTATIONS, *reports.MUTATIONS),
    "strangers": strangers.MUTATIONS,
    "limits": limits.MUTATIONS,
    "waiting": waiting.MUTATIONS,
    "guards": guards.MUTATIONS,
    "sides": sides.MUTATIONS,
    "wallet": (*wallet.MUTATIONS, *agreements.MUTATIONS),
    "proof": proof.MUTATIONS,
    "people": people.MUTATIONS,
    "rights": rights.MUTATIONS,
    "hidden": hidden.MUTATIONS,
    "records": (*records.MUTATIONS, *upgrade.MUTATIONS),
}
