"""Staff: invited, let in by password and code, kept to their roles, and out within a second."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
from tests.modifying import REFUND, Obedient, modify
from tests.shop import Shop

from kassa.base.domain.errors import (
    InvalidRequest,
    KassaError,
    NotFound,
    PermissionDenied,
    RateLimited,
    Unauthenticated,
)
from kassa.identity.domain.audit import Act, AuditQuery
from kassa.identity.domain.principals import Business
from kassa.identity.domain.staff import (
    ROLES,
    Right,
    Role,
    check_password,
    needed_for,
    totp,
    totp_step,
)
from kassa.identity.usecases import sign_in as signing
from kassa.identity.usecases.audit import ACTING, list_audit
from kassa.identity.usecases.businesses import add_business
from kassa.identity.usecases.companies import close_company, put_api_key
from kassa.identity.usecases.sign_in import (
    SignedIn,
    acting_staff,
    begin_enrolment,
    end_sessions,
    finish_enrolment,
    list_sessions,
    sign_in,
    sign_out,
)
from kassa.identity.usecases.staff import (
    add_staff,
    get_staff,
    invite_again,
    list_staff,
    set_role,
    switch_staff,
)

pytestmark = pytest.mark.anyio
PASSWORD = "three harbour lanterns"


class Person:
    """Somebody of the staff with their app. Each of their codes serves once, and half a minute is
    long in a test: so the one of before is forgotten."""

    def __init__(self, shop: Shop, login: str, token: str) -> None:
        self.shop, self.login, self._invitation = shop, login, token
        self.secret = b""
        self.recovery: list[str] = []

    async def enrol(self) -> "Person":
        import base64  # noqa: PLC0415

        begun = await begin_enrolment(self.shop.core, self._invitation, PASSWORD)
        spelled = begun.secret + "=" * (-len(begun.secret) % 8)
        self.secret = base64.b32decode(spelled)
        self.recovery = await finish_enrolment(self.shop.core, self._invitation, self.code())
        return self

    def code(self) -> str:
        return totp(self.secret, int(time.time()) // 30)

    async def enter(self, address: str = "192.0.2.7") -> SignedIn:
        await self.shop.sql("update staff set totp_step = 0")
        return await sign_in(self.shop.core, self.login, PASSWORD, self.code(), address=address)

    async def act(self) -> None:
        signed = await self.enter()
        ACTING.set(await acting_staff(self.shop.core, signed.token))


async def person(shop: Shop, login: str = "ann", role: Role = Role.SUPPORT) -> Person:
    invited = await add_staff(shop.core, shop.company, login, role)
    return await Person(shop, login, invited.token).enrol()


async def acts(shop: Shop, what: str) -> list[str]:
    found = await list_audit(shop.core, AuditQuery(what=what))
    return [row.act for row in reversed(found)]


def test_one_time_codes_are_those_of_the_standard() -> None:
    """Source: RFC 6238, appendix B, SHA-1, the last six digits."""
    secret = b"12345678901234567890"
    told = {59: "287082", 1111111109: "081804", 1234567890: "005924", 20000000000: "353130"}
    for second, code in told.items():
        assert totp(secret, second // 30) == code
    now = datetime.fromtimestamp(1111111109, UTC)
    step = 1111111109 // 30
    assert totp_step(secret, "081 804", now, after=0) == step
    assert totp_step(secret, "081804", now, after=step) is None
    assert totp_step(secret, "081804", now + timedelta(seconds=30), after=0) == step
    assert totp_step(secret, "081804", now + timedelta(seconds=90), after=0) is None


@pytest.mark.parametrize(
    "password",
    ["short", "elevenchars", "a" * 12, "password1234", "Password 2026!", "123456789012", "x" * 300,
     "qwertyuiop[]", "ann loves tea ann", "abcdefghijkl", "ababababababab"],
)  # fmt: skip
def test_passwords_that_are_short_or_tried_first_are_refused(password: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_password(password, "ann")
    assert password not in refused.value.message


def test_every_act_needs_a_right_and_every_right_is_somebodys() -> None:
    assert {needed_for(act) for act in Act} <= {*Right, None}
    assert {act for act in Act if needed_for(act) is None} == {
        act for act in Act if act.startswith("sign_in.")
    }
    assert ROLES[Role.ADMIN] == set(Right)
    assert ROLES[Role.VIEWER] == {Right.READ}
    assert all(Right.PEOPLE not in ROLES[role] for role in Role if role is not Role.ADMIN)
    assert ROLES[Role.NONE] == set()


async def test_who_is_invited_comes_in_with_a_password_and_a_code(shop: Shop) -> None:
    ann = await person(shop)
    with pytest.raises(Unauthenticated):
        await ann.enrol()  # the invitation served
    signed = await ann.enter()

    acting = await acting_staff(shop.core, signed.token, address="192.0.2.7")

    assert acting.who == "staff:ann"
    assert acting.may(Right.REFUND, shop.company.id)
    assert not acting.may(Right.SETUP, shop.company.id)
    assert [one.id for one in await list_sessions(shop.core, "ann")] == [signed.session_id]
    assert await acts(shop, "sign_in") == [Act.ENROLLED, Act.SIGNED_IN]
    assert len(ann.recovery) == 10


async def test_nothing_that_proves_somebody_is_kept_as_it_is(shop: Shop) -> None:
    ann = await person(shop)
    signed = await ann.enter()
    kept = ""
    for table in ("staff", "staff_code", "staff_session", "audit", "row_record"):
        [(text,)] = await shop.sql(f"select string_agg(to_jsonb(t)::text, '') from {table} t")
        kept += text or ""
    [(hashed,)] = await shop.sql("select password_hash from staff")

    assert hashed.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    for secret in (PASSWORD, signed.token, ann.secret.hex(), *ann.recovery):
        assert secret not in kept


async def test_a_code_serves_once_even_for_two_at_the_same_moment(shop: Shop) -> None:
    ann = await person(shop)
    code = ann.code()
    with pytest.raises(Unauthenticated):  # it served for the enrolment
        await sign_in(shop.core, "ann", PASSWORD, code)
    await shop.sql("update staff set totp_step = 0")
    tries = [sign_in(shop.core, "ann", PASSWORD, ann.code()) for _ in range(3)]
    done = await asyncio.gather(*tries, return_exceptions=True)

    assert sorted(type(one).__name__ for one in done) == [
        "SignedIn", "Unauthenticated", "Unauthenticated"
    ]  # fmt: skip


async def test_a_recovery_code_serves_once(shop: Shop) -> None:
    ann = await person(shop)
    await sign_in(shop.core, "ann", PASSWORD, ann.recovery[3].upper())
    with pytest.raises(Unauthenticated):
        await sign_in(shop.core, "ann", PASSWORD, ann.recovery[3])

    assert (await get_staff(shop.core, "ann")).recovery_codes == 9
    assert Act.RECOVERY_USED in await acts(shop, "sign_in")


async def test_whatever_is_wrong_is_told_in_the_same_words(shop: Shop) -> None:
    ann, bob = await person(shop), await person(shop, "bob")
    await switch_staff(shop.core, "bob", active=False)
    await shop.sql("update staff set totp_step = 0")
    told = set()
    for tried in (
        ("ann", "another password", ann.code()),
        ("ann", PASSWORD, "000000"),
        ("bob", PASSWORD, bob.code()),
        ("nobody", PASSWORD, "123456"),
        ("\x00", PASSWORD, ""),
        ("x" * 500, "y" * 500, "z"),
    ):
        with pytest.raises(Unauthenticated) as refused:
            await sign_in(shop.core, *tried)
        told.add(refused.value.message)

    assert len(told) == 1
    assert (await acts(shop, "sign_in")).count(Act.SIGN_IN_REFUSED) == 6
    [(names,)] = await shop.sql("select string_agg(object, ' ') from audit where actor like 'str%'")
    assert set(names.split()) == {"ann", "bob"}  # what else was typed may be a password


async def test_wrong_ones_make_the_next_wait_longer_and_longer(shop: Shop) -> None:
    ann = await person(shop)
    for _ in range(7):
        await shop.sql("update wallet_guess set blocked_until = '-infinity'")
        with pytest.raises(Unauthenticated):
            await sign_in(shop.core, "ann", "wrong", "123456", address="192.0.2.66")
    with pytest.raises(RateLimited) as refused:
        await sign_in(shop.core, "ann", PASSWORD, ann.code(), address="192.0.2.66")
    first = refused.value.retry_after_seconds
    await ann.enter(address="192.0.2.7")  # from elsewhere it is another who tries
    for _ in range(4):
        await shop.sql("update wallet_guess set blocked_until = '-infinity'")
        with pytest.raises(Unauthenticated):
            await sign_in(shop.core, "ann", "wrong", "123456", address="192.0.2.66")
    with pytest.raises(RateLimited) as refused:
        await sign_in(shop.core, "ann", PASSWORD, ann.code(), address="192.0.2.66")

    assert 1 <= first < refused.value.retry_after_seconds <= 1800


async def test_a_session_ends_at_once_by_itself_or_by_others(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await person(shop)
    first, second = await ann.enter(), await ann.enter()
    await end_sessions(shop.core, "ann", first.session_id)
    await dead(shop, first)
    await sign_out(shop.core, second.token)
    await dead(shop, second, within=0)
    third = await ann.enter()
    await shop.sql("update staff_session set last_seen_at = now() - interval '16 minutes'")
    await dead(shop, third)
    fourth = await ann.enter()
    await shop.sql(
        "update staff_session set created_at = now() - interval '1 day', expires_at = now()"
    )
    await dead(shop, fourth)
    fifth = await ann.enter()
    assert (await acting_staff(shop.core, fifth.token)).name == "ann"
    await switch_staff(shop.core, "ann", active=False)
    await dead(shop, fifth)
    with pytest.raises(NotFound):
        await end_sessions(shop.core, "ann", "ss_none")


async def dead(shop: Shop, signed: SignedIn, within: float = 1.0) -> None:  # seconds, not money
    await asyncio.sleep(within and 0.6)
    with pytest.raises(Unauthenticated):
        await acting_staff(shop.core, signed.token)


async def test_a_role_that_is_taken_away_is_gone_within_a_second(shop: Shop) -> None:
    ann = await person(shop)
    signed = await ann.enter()
    assert (await acting_staff(shop.core, signed.token)).may(Right.REFUND, shop.company.id)
    await set_role(shop.core, shop.company, "ann", Role.NONE)
    await asyncio.sleep(0.6)

    assert not (await acting_staff(shop.core, signed.token)).sees(shop.company.id)
    assert (await get_staff(shop.core, "ann")).grants == []


async def test_staff_do_what_their_role_names_and_nothing_else(shop: Shop) -> None:
    other = await shop.other_company()
    payment = await shop.play(await shop.payment(), Obedient())
    ann = await person(shop, role=Role.SUPPORT)
    await ann.act()

    await modify(shop, payment, REFUND, 100)
    for refused in (
        close_company(shop.core, shop.company.id),
        put_api_key(shop.core, shop.company, "sk_test_anns_secret"),
        put_api_key(shop.core, other, "sk_test_anns_secret"),
        add_staff(shop.core, shop.company, "eve", Role.ADMIN),
        set_role(shop.core, other, "ann", Role.ADMIN),
        end_sessions(shop.core, "nobody"),
    ):
        with pytest.raises((PermissionDenied, NotFound)):
            await refused
    assert await shop.sql("select 1 from credential where lookup like '%anns%'") == []
    assert [one.member.login for one in await list_staff(shop.core)] == ["ann"]
    [(status,)] = await shop.sql("select status from company where id = $1", shop.company.id)
    assert status == "active"


async def test_a_refund_without_the_right_changes_nothing(shop: Shop) -> None:
    payment = await shop.play(await shop.payment(), Obedient())
    await (await person(shop, role=Role.DEVELOPER)).act()

    with pytest.raises(PermissionDenied):
        await modify(shop, payment, REFUND, 100)

    assert (await shop.read(payment)).refund_reserved.minor == 0
    assert await acts(shop, "payment") == []


async def test_a_role_for_one_business_is_none_for_another(shop: Shop) -> None:
    await add_business(shop.core, shop.company, Business("biz_2", "Harbour"))
    ours = await shop.play(await shop.payment(), Obedient())
    await person(shop, role=Role.VIEWER)
    await set_role(shop.core, shop.company, "ann", Role.SUPPORT, "biz_2")
    grants = (await get_staff(shop.core, "ann")).grants
    assert {(one.business_id, one.role) for one in grants} == {
        ("", Role.VIEWER), ("biz_2", Role.SUPPORT)
    }  # fmt: skip
    with pytest.raises(NotFound):
        await set_role(shop.core, shop.company, "ann", Role.SUPPORT, "biz_none")
    from kassa.identity.domain.staff import StaffActing  # noqa: PLC0415

    acting = StaffActing("staff:ann", grants=tuple(grants))
    assert acting.may(Right.REFUND, shop.company.id, "biz_2")
    assert not acting.may(Right.REFUND, shop.company.id, "biz_shop")
    ACTING.set(acting)
    with pytest.raises(PermissionDenied):
        await modify(shop, ours, REFUND, 100)


async def test_nobody_raises_their_own_role_or_lets_themselves_in_again(shop: Shop) -> None:
    await (await person(shop, role=Role.ADMIN)).act()
    for refused in (
        set_role(shop.core, shop.company, "ann", Role.VIEWER),
        switch_staff(shop.core, "ann", active=True),
    ):
        with pytest.raises(PermissionDenied):
            await refused
    await add_staff(shop.core, shop.company, "bob", Role.FINANCE)  # but others'
    await set_role(shop.core, shop.company, "bob", Role.ADMIN)


async def test_an_admin_of_one_company_has_no_hold_on_people_of_another(shop: Shop) -> None:
    other = await shop.other_company()
    await add_staff(shop.core, other, "bob", Role.VIEWER)
    await (await person(shop, role=Role.ADMIN)).act()

    for refused in (
        switch_staff(shop.core, "bob", active=False),
        invite_again(shop.core, "bob"),
        end_sessions(shop.core, "bob"),
    ):
        with pytest.raises(PermissionDenied):
            await refused
    assert (await get_staff(shop.core, "bob")).member.status == "invited"


async def test_who_is_invited_anew_starts_again(shop: Shop) -> None:
    ann = await person(shop)
    signed = await ann.enter()
    invited = await invite_again(shop.core, "ann")
    await dead(shop, signed)
    with pytest.raises(Unauthenticated):
        await ann.enter()
    with pytest.raises(Unauthenticated):
        await sign_in(shop.core, "ann", PASSWORD, ann.recovery[0])
    with pytest.raises(InvalidRequest, match="no password yet"):
        await switch_staff(shop.core, "ann", active=True)

    again = await Person(shop, "ann", invited.token).enrol()
    assert (await again.enter()).login == "ann"


async def test_an_invitation_runs_out_and_a_wrong_code_enrols_nobody(shop: Shop) -> None:
    invited = await add_staff(shop.core, shop.company, "ann", Role.VIEWER)
    await begin_enrolment(shop.core, invited.token, PASSWORD)
    with pytest.raises(InvalidRequest):
        await finish_enrolment(shop.core, invited.token, "000000")
    with pytest.raises(InvalidRequest):
        await begin_enrolment(shop.core, invited.token, "ann ann ann ann")
    await shop.sql("update staff_code set expires_at = now()")
    for token in (invited.token, "kin_wrong", "", "\x00"):
        with pytest.raises(Unauthenticated):
            await begin_enrolment(shop.core, token, PASSWORD)
    # Whoever let them in would let them in without a code.
    with pytest.raises(InvalidRequest, match="no password yet"):
        await switch_staff(shop.core, "ann", active=True)
    await switch_staff(shop.core, "ann", active=False)
    with pytest.raises(InvalidRequest, match="no password yet"):
        await switch_staff(shop.core, "ann", active=True)


async def test_a_name_is_no_address_and_is_given_once(shop: Shop) -> None:
    await add_staff(shop.core, shop.company, "ann", Role.VIEWER)
    for login in ("ann", "ann@shop.example", "Ann", "", "a", "-x", "x" * 41):
        with pytest.raises(InvalidRequest):
            await add_staff(shop.core, shop.company, login, Role.VIEWER)
    for name in ("nobody", "\x00"):
        with pytest.raises(NotFound):
            await get_staff(shop.core, name)


async def test_passwords_are_hashed_beside_the_loop_and_few_at_a_time(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, most = 0, 0

    async def slow(_: str, __: str) -> bool:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return False

    monkeypatch.setattr(signing, "is_password", slow)
    tries = [sign_in(shop.core, "ann", "wrong", "1", address=f"192.0.2.{at}") for at in range(8)]
    done = await asyncio.gather(*tries, return_exceptions=True)

    assert all(isinstance(one, KassaError) for one in done)
    assert most == 2


async def test_the_books_stay_sound(shop: Shop) -> None:
    ann = await person(shop)
    signed = await ann.enter()
    await sign_out(shop.core, signed.token)
    await shop.sql("update staff set totp_step = 0")

    assert await shop.faults() == []
