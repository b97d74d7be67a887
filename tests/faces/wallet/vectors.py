"""Signatures made by somebody else: published halves of two keys, and what they signed."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kassa.faces.wallet.signature import Signed

_FILE: dict[str, Any] = json.loads(
    Path(__file__).with_name("vectors.json").read_text(encoding="utf-8")
)
KEYS: dict[str, str] = _FILE["keys"]


@dataclass(frozen=True)
class Vector:
    """`key`: whose key made `header`, "merchant" or "wallet"."""

    name: str
    key: str
    signed: Signed
    header: str


VECTORS = [
    Vector(
        name=item["name"],
        key=item["key"],
        signed=Signed(
            item["method"],
            item["target"],
            item["clientId"],
            item["time"],
            item["body"].encode(),
        ),
        header=item["header"],
    )
    for item in _FILE["vectors"]
]
REQUEST = VECTORS[0]
