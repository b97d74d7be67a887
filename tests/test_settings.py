"""Flags, then variables, then the file; and one sentence for whatever cannot be."""

import os
import stat
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kassa import assembly, installation
from kassa.base.domain.errors import InvalidRequest
from kassa.base.usecases.core import Policy
from kassa.base.usecases.keyring import Purpose
from kassa.settings import Settings, check_transport, load

PAY = "https://pay.example.org"


def a_file(folder: Path, text: str) -> Path:
    path = folder / "kassa.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(variables: dict[str, str], **flags: Any) -> str:
    with pytest.raises(InvalidRequest) as caught:
        load(flags, variables)
    assert "\n" not in caught.value.message
    return caught.value.message


def test_nothing_said_means_the_defaults() -> None:
    assert load({}, {}) == Settings()
    assert Settings().url == "http://127.0.0.1:8080"


def test_there_are_as_many_http_processes_as_cores_and_not_too_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 7}, raising=False)
    assert load({}, {}).http_processes == 3
    assert load({"workers": 1}, {}).http_processes == 1
    assert load({}, {"KASSA_WORKERS": "12"}).http_processes == 12

    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    assert load({}, {}).http_processes == 6


def test_flags_win_over_variables_and_variables_over_the_file(tmp_path: Path) -> None:
    path = a_file(tmp_path, 'port = 1001\ngrpc_port = 1002\nworkers = 2\nlog_level = "error"\n')
    variables = {"KASSA_CONFIG": str(path), "KASSA_GRPC_PORT": "2002", "KASSA_WORKERS": "3"}

    found = load({"workers": 4, "host": None}, variables)

    assert (found.port, found.grpc_port, found.workers, found.log_level) == (1001, 2002, 4, "error")
    assert found.host == "127.0.0.1"


def test_the_file_may_be_named_by_a_flag(tmp_path: Path) -> None:
    path = a_file(tmp_path, "demo = true")

    assert load({"config": str(path)}, {"KASSA_CONFIG": "/nowhere"}).demo


def an_account(tmp_path: Path) -> dict[str, str]:
    for name in ("private", "public"):
        (tmp_path / name).write_text("a key")
    return {
        "KASSA_ALIPAY_APP_ID": "1",
        "KASSA_ALIPAY_PRIVATE_KEY_PATH": f"{tmp_path}/private",
        "KASSA_ALIPAY_PUBLIC_KEY_PATH": f"{tmp_path}/public",
    }


def test_the_alipay_account_may_come_in_parts(tmp_path: Path) -> None:
    for name in ("private", "public"):
        (tmp_path / name).write_text("a key")
    path = a_file(
        tmp_path,
        f'[alipay]\napp_id = "1"\nprivate_key_path = "{tmp_path}/private"\nseller_id = "s"\n',
    )
    variables = {
        "KASSA_CONFIG": str(path),
        "KASSA_ALIPAY_PUBLIC_KEY_PATH": f"{tmp_path}/public",
        "KASSA_ALIPAY_APP_ID": "2",
    }

    assert load({}, variables).accounts == {
        "alipay": {
            "app_id": "2",
            "private_key_path": f"{tmp_path}/private",
            "public_key_path": f"{tmp_path}/public",
            "earlier_public_key_path": "",
            "earlier_public_key_until": "",
            "gateway": "https://openapi-sandbox.dl.alipaydev.com/gateway.do",
            "seller_id": "s",
        }
    }


def test_an_account_of_the_installation_is_told_to_its_children_as_it_is(tmp_path: Path) -> None:
    """What was read once from file and variables is not read again from another environment."""
    settings = load({}, an_account(tmp_path))
    told = msgspec.json.decode(msgspec.json.encode(settings), type=Settings)

    assert told == settings
    assert told.accounts["alipay"]["app_id"] == "1"


@pytest.mark.anyio
async def test_an_account_whose_keys_are_none_is_refused_in_a_sentence(tmp_path: Path) -> None:
    settings = load({"data_dir": str(tmp_path)}, an_account(tmp_path))

    with pytest.raises(InvalidRequest) as refused:
        async with assembly.open_core(settings, "postgresql://127.0.0.1:1/none", serves=True):
            raise AssertionError("it must not begin")
    assert refused.value.message.startswith("alipay: ")
    assert "a key" not in refused.value.message


@pytest.mark.parametrize("gateway", ["https://openapi.alipay.com/gateway.do"])
def test_an_account_where_real_money_moves_needs_live(tmp_path: Path, gateway: str) -> None:
    said = {**an_account(tmp_path), "KASSA_ALIPAY_GATEWAY": gateway}

    assert "moves real money: set live = true" in refusal(said)
    assert load({"live": True}, said).accounts["alipay"]["gateway"] == gateway


@pytest.mark.parametrize("connector", ["stripe", "razorpay", "nobody"])
def test_a_connector_that_declares_no_account_of_the_installation_has_no_table(
    tmp_path: Path, connector: str
) -> None:
    text = f'[{connector}]\nsecret_key = "sk_test_1"\n'

    said = refusal({}, config=str(a_file(tmp_path, text)))
    assert connector in said
    assert "sk_test_1" not in said
    assert "not a setting" in refusal({f"KASSA_{connector.upper()}_SECRET_KEY": "sk_test_1"})


def test_accounts_are_no_setting_by_that_name(tmp_path: Path) -> None:
    for text in ('accounts = "x"', '[accounts.alipay]\napp_id = "1"'):
        assert "accounts is not a setting" in refusal({}, config=str(a_file(tmp_path, text)))
    assert "KASSA_ACCOUNTS is not a setting" in refusal({"KASSA_ACCOUNTS": "x"})


@pytest.mark.parametrize(
    ("text", "value"), [("1", True), ("TRUE", True), ("yes", True), ("0", False), ("No", False)]
)
def test_a_switch_is_on_or_off(text: str, value: bool) -> None:
    assert load({}, {"KASSA_DEMO": text}).demo is value


def test_proxies_are_named_with_commas_or_as_a_list(tmp_path: Path) -> None:
    path = a_file(tmp_path, 'trusted_proxies = ["10.0.0.0/8", "::1"]')

    assert load({"config": str(path)}, {}).trusted_proxies == ("10.0.0.0/8", "::1")
    said = {"KASSA_TRUSTED_PROXIES": "10.0.0.0/8, ::1"}
    assert load({}, said).trusted_proxies == ("10.0.0.0/8", "::1")


@pytest.mark.parametrize("name", ["test_requests_per_second", "test_requests_burst"])
def test_a_setting_whose_variable_looks_like_the_test_suites_is_read(name: str) -> None:
    assert getattr(load({}, {f"KASSA_{name.upper()}": "7"}), name) == 7


def test_what_belongs_to_others_is_left_alone() -> None:
    others = {"KASSA_TEST_DATABASE_URL": "x", "PATH": "/bin"}

    assert load({}, others) == Settings()


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("KASSA_PROT", "8080"),
        ("KASSA_PORT", "0"),
        ("KASSA_PORT", "65536"),
        ("KASSA_PORT", "-1"),
        ("KASSA_PORT", "eighty"),
        ("KASSA_PORT", ""),
        ("KASSA_PORT", "80.5"),
        ("KASSA_PORT", "NaN"),
        ("KASSA_PORT", "1e999999999"),
        ("KASSA_PORT", "9" * 5000),
        ("KASSA_GRPC_PORT", "8080"),
        ("KASSA_WORKERS", "-1"),
        ("KASSA_WORKERS", "65"),
        ("KASSA_DEMO", "perhaps"),
        ("KASSA_LOG_LEVEL", "loud"),
        ("KASSA_DATABASE_CONNECTIONS", "0"),
        ("KASSA_DATABASE_CONNECTIONS", "201"),
        ("KASSA_DATABASE_URL", "mysql://db"),
        ("KASSA_DATABASE_URL", "postgresql://[::1/db"),
        ("KASSA_BASE_URL", "pay.example.org"),
        ("KASSA_BASE_URL", "ftp://pay.example.org"),
        ("KASSA_BASE_URL", "https://"),
        ("KASSA_BASE_URL", "https://pay.example.org/"),
        ("KASSA_BASE_URL", "https://pay.example.org/shop"),
        ("KASSA_BASE_URL", "https://pay.example.org?a=b"),
        ("KASSA_BASE_URL", "https://pay.example.org#here"),
        ("KASSA_BASE_URL", "https://me:secret@pay.example.org"),
        ("KASSA_BASE_URL", "http://[::1"),
        ("KASSA_BASE_URL", "http://pay.example.org:port"),
        ("KASSA_BASE_URL", "http://pay .example.org"),
        ("KASSA_ORDER_LIFETIME_DAYS", "0"),
        ("KASSA_ORDER_LIFETIME_DAYS", "9999999999"),
        ("KASSA_WALLET_ORDER_LIFETIME_HOURS", "0"),
        ("KASSA_WALLET_ORDER_LIFETIME_HOURS", "9999999999"),
        ("KASSA_WALLET_LIMIT_MINOR", "0"),
        ("KASSA_WALLET_LIMIT_MINOR", str(2**63)),
        ("KASSA_WALLET_DAILY_LIMIT_MINOR", "0"),
        ("KASSA_WALLET_DAILY_LIMIT_MINOR", str(2**63)),
        ("KASSA_WALLET_AUTHORIZATION_DAYS", "0"),
        ("KASSA_WALLET_AUTHORIZATION_DAYS", "366"),
        ("KASSA_AUTHORIZATION_MARGIN_MINUTES", "0"),
        ("KASSA_AUTHORIZATION_MARGIN_MINUTES", "10081"),
        ("KASSA_AUTHORIZATION_MARGIN_MINUTES", "10080"),
        ("KASSA_CAPTURE_AT_DEADLINE", "later"),
        ("KASSA_TRUSTED_PROXIES", "10.0.0.0/8, proxy"),
        ("KASSA_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("KASSA_OPS_PORT", "8080"),
        ("KASSA_OPS_PORT", "9090"),
        ("KASSA_OPS_PORT", "65536"),
        ("KASSA_OPS_HOST", ""),
        ("KASSA_HOST", ""),
        ("KASSA_DATA_DIR", ""),
        ("KASSA_ALIPAY_APP_ID", "1"),
        ("KASSA_ALIPAY_COLOR", "blue"),
        ("KASSA_ALIPAY", "x"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_name(variable: str, text: str) -> None:
    said = refusal({variable: text})

    name = variable.removeprefix("KASSA_").lower()
    assert name in said.lower() or (name.startswith("alipay") and "alipay" in said.lower())
    assert len(said) < 700
    assert "secret" not in said


def test_real_money_and_the_demo_exclude_each_other() -> None:
    said = refusal({}, live=True, demo=True)

    assert "live" in said
    assert "demo" in said


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("prot = 8080", "prot"),
        ('port = "8080"', "port"),
        ("port = 80.5", "port"),
        ("demo = 1", "demo"),
        ("[alipay]\napp_id = 5", "app_id"),
        ("port = ", "kassa.toml"),
        ("port = 1\nport = 2", "kassa.toml"),
    ],
)
def test_what_a_file_may_not_say_is_refused_by_name(tmp_path: Path, text: str, named: str) -> None:
    assert named in refusal({}, config=str(a_file(tmp_path, text)))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b'host = "\xe9"')

    for path in ("missing", ".", "latin", "a\x00b"):
        assert "settings file" in refusal({}, config=str(tmp_path / path))


def test_a_key_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "public").write_text("a key")
    account = {
        "KASSA_ALIPAY_APP_ID": "1",
        "KASSA_ALIPAY_PRIVATE_KEY_PATH": f"{tmp_path}/none",
        "KASSA_ALIPAY_PUBLIC_KEY_PATH": f"{tmp_path}/public",
    }

    assert f"{tmp_path}/none" in refusal(account)


def test_no_password_shows_when_settings_are_shown() -> None:
    url = "postgresql://kassa:a-pass-word@db.example/kassa?password=another-one"
    settings = load({}, {"KASSA_DATABASE_URL": url})

    assert settings.database_url == url
    for shown in (repr(settings), str(settings), f"{[settings]}"):
        assert "pass-word" not in shown
        assert "another-one" not in shown
    assert "port=8080" in repr(settings)


def test_the_longest_lifetimes_that_are_taken_can_be_kept() -> None:
    longest = load(
        {}, {"KASSA_ORDER_LIFETIME_DAYS": "3650", "KASSA_WALLET_ORDER_LIFETIME_HOURS": "87600"}
    )

    assert assembly.now() + assembly.policy_of(longest).order_lifetime
    assert assembly.now() + assembly.policy_of(longest).wallet_order_lifetime


def test_what_limits_and_releases_wallet_money_reaches_the_policy() -> None:
    named = load(
        {},
        {
            "KASSA_WALLET_LIMIT_MINOR": "500",
            "KASSA_WALLET_DAILY_LIMIT_MINOR": "700",
            "KASSA_WALLET_AUTHORIZATION_DAYS": "3",
            "KASSA_AUTHORIZATION_MARGIN_MINUTES": "90",
            "KASSA_CAPTURE_AT_DEADLINE": "yes",
        },
    )

    policy = assembly.policy_of(named)

    assert (policy.wallet_limit_minor, policy.wallet_daily_limit_minor) == (500, 700)
    assert policy.wallet_authorization_lifetime == timedelta(days=3)
    assert policy.authorization_margin == timedelta(minutes=90)
    assert policy.capture_at_deadline


def test_the_policy_without_settings_is_that_of_the_default_settings() -> None:
    assert assembly.policy_of(Settings()) == Policy(base_url=Settings().url)


def test_a_margin_as_long_as_the_reservation_is_refused() -> None:
    said = refusal(
        {"KASSA_WALLET_AUTHORIZATION_DAYS": "1", "KASSA_AUTHORIZATION_MARGIN_MINUTES": "1440"}
    )

    assert "authorization_margin_minutes (1440)" in said
    assert "wallet_authorization_days (1)" in said


def test_keys_are_made_once_private_and_never_shown(tmp_path: Path) -> None:
    made = installation.open_secrets(tmp_path)
    again = installation.open_secrets(tmp_path)

    keys = {one: made.current(one) for one in Purpose}
    assert keys == {one: again.current(one) for one in Purpose}
    assert len({key.reveal() for key in keys.values()}) == len(Purpose)
    lengths = {len(key.reveal()) for one, key in keys.items() if one != Purpose.WALLET_ANSWERS}
    assert lengths == {32}
    assert repr(made) == str(made) == "Keyring(hidden)"
    files = [path for path in (tmp_path / "secrets").iterdir() if path.is_file()]
    names = {path.name for path in files}
    assert names == {f"{one}.1" for one in Purpose}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    installation.sandbox_secret(tmp_path)
    (tmp_path / "secrets" / "sandbox").chmod(0o640)

    with pytest.raises(InvalidRequest, match="can be read by others"):
        installation.sandbox_secret(tmp_path)


def test_processes_that_start_at_once_agree_on_their_keys(tmp_path: Path) -> None:
    found: list[bytes] = []
    together = threading.Barrier(8)

    def start() -> None:
        together.wait()
        found.append(installation.sandbox_secret(tmp_path))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 8
    assert len(set(found)) == 1
    assert [path.name for path in (tmp_path / "secrets").iterdir()] == ["sandbox"]


def test_the_demo_keeps_its_secrets_private(settings: Settings) -> None:
    folder = settings.demo_directory

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.glob("*")}
    assert {name: mode for name, mode in modes.items() if mode & 0o077} == {}
    assert len(modes) >= 4


def test_settings_can_be_handed_to_a_child(tmp_path: Path) -> None:
    settings = msgspec.structs.replace(Settings(), data_dir="somewhere", port=1234)

    assert msgspec.json.decode(msgspec.json.encode(settings), type=Settings) == settings
    assert settings.directory == Path(os.getcwd()) / "somewhere"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "live needs a base_url with https"),
        ({"base_url": "http://pay.example.org"}, "live needs a base_url with https"),
        ({"base_url": PAY, "host": "0.0.0.0"}, "name the proxies in front of it"),
        ({"base_url": PAY, "host": "::"}, "name the proxies in front of it"),
        ({"base_url": PAY, "host": "pay.example.org"}, "name the proxies in front of it"),
    ],
)
def test_real_money_does_not_cross_a_network_in_the_clear(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidRequest) as told:
        check_transport(Settings(live=True, **given))

    assert said in " ".join(told.value.message.split())


@pytest.mark.parametrize(
    "given",
    [
        {"live": True, "base_url": PAY},
        {"live": True, "base_url": PAY, "host": "localhost"},
        {"live": True, "base_url": PAY, "host": "::1"},
        {"live": True, "base_url": PAY, "host": "0.0.0.0", "trusted_proxies": ("10.0.0.0/8",)},
        {"host": "0.0.0.0"},
    ],
)
def test_on_this_machine_or_behind_a_proxy_it_serves(given: dict[str, Any]) -> None:
    check_transport(Settings(**given))
