"""Where keys are kept, what an installation of before has, and what never tells a key."""

import asyncio
import base64
import copy
import hashlib
import hmac
import json
import os
import pickle
import stat
import sys
import time
from pathlib import Path

import msgspec
import pytest

from kassa import installation
from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.secret import Secret
from kassa.base.usecases import keyed
from kassa.base.usecases.keyring import Keyring, Purpose
from kassa.key_stores import CommandKeys, EnvironmentKeys, FileKeys
from kassa.settings import load

PEPPERED = (
    Purpose.CREDENTIALS,
    Purpose.WALLET_CODES,
    Purpose.FINGERPRINTS,
    Purpose.CHAIN,
    Purpose.SEALS,
)
NEW = bytes(range(32))


def of_before(directory: Path) -> dict[str, bytes]:
    """The files of an installation from before each purpose had a key of its own."""
    folder = directory / "secrets"
    folder.mkdir(mode=0o700)
    names = ("pepper", "page_token", "credentials_key.1", "credentials_key.2", "sandbox")
    kept = {name: hashlib.sha256(name.encode()).digest() for name in names}
    kept["wallet_signing_key.pem"] = installation.rsa_pem()
    for name, content in kept.items():
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o600)
    return kept


@pytest.mark.parametrize(
    "told",
    [repr, str, "{}".format, lambda one: f"{one!r:>40}", lambda one: repr([one, {"a": one}])],
)
def test_a_secret_tells_nobody_what_it_is(told: object) -> None:
    assert "hush" not in told(Secret("hush"))  # type: ignore[operator]


@pytest.mark.parametrize(
    "write", [pickle.dumps, json.dumps, msgspec.json.encode, msgspec.msgpack.encode]
)
def test_a_secret_is_not_written_down(write: object) -> None:
    with pytest.raises(TypeError):
        write(Secret("hush"))  # type: ignore[operator]


def test_secrets_are_compared_and_copied_and_are_no_keys() -> None:
    secret = Secret(b"hush")

    assert secret == Secret("hush") != Secret("tush")
    assert secret != b"hush"
    assert copy.deepcopy(secret) == copy.copy(secret) == secret
    with pytest.raises(TypeError):
        hash(secret)


def test_an_installation_of_before_starts_as_it_was(tmp_path: Path) -> None:
    kept = of_before(tmp_path)

    secrets = installation.open_secrets(tmp_path)

    assert all(secrets.current(one).reveal() == kept["pepper"] for one in PEPPERED)
    assert secrets.current(Purpose.PAGE_TOKENS).reveal() == kept["page_token"]
    assert secrets.current(Purpose.WALLET_ANSWERS).reveal() == kept["wallet_signing_key.pem"]
    assert secrets.current(Purpose.PROVIDER_SECRETS).reveal() == kept["credentials_key.2"]
    old = secrets.of(Purpose.PROVIDER_SECRETS).get(1)
    assert old is not None
    assert old.reveal() == kept["credentials_key.1"]
    names = {path.name for path in (tmp_path / "secrets").iterdir()}
    assert names - set(kept) == {"webhooks.1", "personal_data.1"}  # which there was no key for
    plain = hmac.digest(kept["pepper"], b"sk_test_1", "sha256")
    assert keyed.fits(secrets.of(Purpose.CREDENTIALS), b"sk_test_1", plain, keyed.hmac_sha256)


def test_a_new_version_is_read_at_once_and_used_once_everybody_knows_it(tmp_path: Path) -> None:
    here, there = (installation.open_secrets(tmp_path) for _ in range(2))
    first = there.of(Purpose.PAGE_TOKENS).current.number

    number = here.store.add(Purpose.PAGE_TOKENS, NEW, after=0.3)
    assert there.is_stale()
    there.reread()

    keys = there.of(Purpose.PAGE_TOKENS)
    assert (number, keys.current.number) == (first + 1, first)
    assert keys.get(number) == Secret(NEW)
    time.sleep(0.35)
    assert there.is_stale()
    there.reread()
    assert there.of(Purpose.PAGE_TOKENS).current.number == number
    assert not there.is_stale()
    path = tmp_path / "secrets" / f"page_tokens.{number}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_pepper_of_before_is_retired_for_one_purpose_alone(tmp_path: Path) -> None:
    of_before(tmp_path)
    secrets = installation.open_secrets(tmp_path)
    for purpose in (Purpose.CREDENTIALS, Purpose.PAGE_TOKENS):
        secrets.store.add(purpose, NEW, after=0)
        secrets.store.retire(purpose, 1)

    again = installation.open_secrets(tmp_path)

    assert again.of(Purpose.CREDENTIALS).get(1) is None
    assert again.of(Purpose.PAGE_TOKENS).get(1) is None
    assert again.of(Purpose.SEALS).get(1) is not None
    assert not (tmp_path / "secrets" / "page_token").exists()
    assert (tmp_path / "secrets" / "page_tokens.1.retired").exists()  # a backup may need it
    assert again.store.add(Purpose.PAGE_TOKENS, NEW + NEW, after=0) == 3


def test_a_version_of_any_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    secrets = installation.open_secrets(tmp_path)
    number = secrets.store.add(Purpose.CHAIN, NEW, after=0)
    (tmp_path / "secrets" / f"chain.{number}").chmod(0o640)

    with pytest.raises(InvalidRequest, match="can be read by others"):
        secrets.reread()
    assert secrets.of(Purpose.CHAIN).current.number == 1  # what was known stays known


def test_keys_may_be_in_the_environment(tmp_path: Path) -> None:
    given = {
        f"KASSA_KEY_{one.upper()}_1": base64.b64encode(one.encode().ljust(32)).decode()
        for one in Purpose
    }
    given["KASSA_KEY_PAGE_TOKENS_2"] = base64.b64encode(NEW).decode()

    secrets = installation.open_secrets(tmp_path, EnvironmentKeys(given))

    assert secrets.current(Purpose.PAGE_TOKENS) == Secret(NEW)
    assert secrets.current(Purpose.CHAIN) == Secret(b"chain".ljust(32))
    assert not (tmp_path / "secrets").exists()
    assert load({}, {"KASSA_KEYS_FROM": "environment", **given}).keys_from == "environment"
    with pytest.raises(InvalidRequest, match="KASSA_KEY_CHAIN_1 is not set"):
        EnvironmentKeys({k: v for k, v in given.items() if "CHAIN" not in k}).read()
    with pytest.raises(InvalidRequest) as refused:
        EnvironmentKeys(given | {"KASSA_KEY_CHAIN_1": "hush!"}).read()
    assert "hush" not in str(refused.value)


KEEPER = """#!/usr/bin/env python3
import json, os, sys
from pathlib import Path
kept = Path(__file__).with_name("kept.json")
keys = json.loads(kept.read_text())
assert not [name for name in os.environ if name.startswith("KASSA_")]
print("a key that nobody is to see", file=sys.stderr)
if sys.argv[1] == "read":
    print(json.dumps(keys))
elif sys.argv[1] == "add":
    purpose, after = sys.argv[2], int(sys.argv[3])
    keys[purpose].append({"version": len(keys[purpose]) + 1, "key": sys.stdin.read()})
    kept.write_text(json.dumps(keys))
    print(len(keys[purpose]))
elif sys.argv[1] == "retire":
    keys[sys.argv[2]] = [one for one in keys[sys.argv[2]] if one["version"] != int(sys.argv[3])]
    kept.write_text(json.dumps(keys))
"""


@pytest.fixture
def keeper(tmp_path: Path) -> Path:
    program = tmp_path / "keeper"
    program.write_text(KEEPER)
    program.chmod(0o700)
    keys = {
        one: [{"version": 1, "key": base64.b64encode(one.encode().ljust(32)).decode()}]
        for one in Purpose
    }
    (tmp_path / "kept.json").write_text(json.dumps(keys))
    return program


def test_keys_may_be_kept_by_a_program(
    keeper: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def store() -> CommandKeys:
        return CommandKeys(str(keeper), tmp_path / "secrets", {**os.environ, "KASSA_DEMO": "1"})

    here, there = Keyring(store()).open(), Keyring(store()).open()

    number = here.store.add(Purpose.SEALS, NEW, after=0)
    assert there.is_stale()
    there.reread()

    assert there.current(Purpose.SEALS) == Secret(NEW)
    here.store.retire(Purpose.SEALS, 1)
    there.reread()
    assert there.of(Purpose.SEALS).get(1) is None
    assert number == 2
    assert "nobody is to see" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("exit 3", "ended with 3"),
        ("echo hush", "cannot be read"),
        ('echo \'{"chain": [{"version": 0, "key": "hush"}]}\'', "version 0"),
        ('echo \'{"chain": [{"version": 1, "key": "hush"}]}\'', "chain is no key"),
        ("echo '{}'", "no key for credentials"),
    ],
)
def test_what_a_program_says_wrong_is_told_without_repeating_it(
    program: str, why: str, tmp_path: Path
) -> None:
    path = tmp_path / "keeper"
    path.write_text(f"#!/bin/sh\n{program}\n")
    path.chmod(0o700)

    with pytest.raises(InvalidRequest, match=why) as refused:
        Keyring(CommandKeys(str(path), tmp_path, {})).open()
    assert "hush" not in str(refused.value)


def test_a_process_with_keys_leaves_no_core_file(tmp_path: Path) -> None:
    program = (
        "import ctypes, resource, sys; from pathlib import Path; from kassa import installation;"
        "installation.open_secrets(Path(sys.argv[1]));"
        "print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    )

    async def run() -> bytes:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, str(tmp_path), stdout=asyncio.subprocess.PIPE
        )
        said, _ = await child.communicate()
        return said

    assert asyncio.run(run()).decode().strip() == "(0, 0) 0"


def test_files_are_the_keys_of_one_store(tmp_path: Path) -> None:
    store = FileKeys(tmp_path / "secrets")

    assert store.mark() is None
    installation.open_secrets(tmp_path)
    assert {purpose: len(found) for purpose, found in store.read().items()} == dict.fromkeys(
        Purpose, 1
    )
