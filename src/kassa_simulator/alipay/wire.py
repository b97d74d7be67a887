"""How Alipay's gateway reads a request and writes its signed answer.

Source: opendocs.alipay.com on the gateway's parameters, signatures and common error codes.
"""

import base64
import binascii
import codecs
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl

from kassa_simulator import decimals, rsa
from kassa_simulator.frame import Answer, Books, Call, Merchant

NAME = "alipay"
CURRENCY = "CNY"
CHINA = timezone(timedelta(hours=8))  # one zone for the whole country, no summer time
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)

Biz = Mapping[str, Any]

_AMOUNT = re.compile(r"\d{1,9}(\.\d{1,2})?", re.ASCII)
_MOST_MINOR = 100_000_000_00
_MESSAGES = {
    "20000": "Service Currently Unavailable",
    "40001": "Missing Required Arguments",
    "40002": "Invalid Arguments",
    "40004": "Business Failed",
}
_MISSING = (("charset", "charset"), ("timestamp", "timestamp"), ("version", "version"))


class Refused(Exception):
    """The request ends here. `signed`: an unknown app gets an answer without a signature."""

    def __init__(self, code: str, sub_code: str, sub_msg: str, *, signed: bool = True) -> None:
        super().__init__(sub_code)
        self.code = code
        self.sub_code = sub_code
        self.sub_msg = sub_msg
        self.signed = signed

    @property
    def content(self) -> Mapping[str, str]:
        return {
            "code": self.code,
            "msg": _MESSAGES[self.code],
            "sub_code": self.sub_code,
            "sub_msg": self.sub_msg,
        }


def failed(word: str, sub_msg: str) -> Refused:
    """The business failed: `ACQ.` and `word`."""
    return Refused("40004", f"ACQ.{word}", sub_msg)


def invalid(sub_msg: str) -> Refused:
    return failed("INVALID_PARAMETER", f"参数无效：{sub_msg}")


def no_such_trade() -> Refused:
    return failed("TRADE_NOT_EXIST", "交易不存在")


@dataclass(frozen=True, slots=True)
class Case:
    """One verified request of one merchant."""

    books: Books
    merchant: Merchant
    call: Call
    parameters: Mapping[str, str]
    biz: Biz

    @property
    def now(self) -> datetime:
        return self.call.now

    @property
    def method(self) -> str:
        return self.parameters["method"]


def parameters_of(call: Call) -> dict[str, str]:
    """The query's and the form's together; of a name said twice the form's counts."""
    form = call.body.decode("utf-8", "replace")
    return {**_pairs(call.query), **_pairs(form)}


def biz_of(parameters: Mapping[str, str]) -> dict[str, Any] | None:
    """The object in `biz_content`, its numbers as text; None for anything else."""
    try:
        content = json.loads(parameters.get("biz_content") or "{}", parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def request_text(parameters: Mapping[str, str]) -> bytes:
    """What a merchant signs: everything but the signature and what is empty, by name."""
    kept = sorted((name, value) for name, value in parameters.items() if value and name != "sign")
    return "&".join(f"{name}={value}" for name, value in kept).encode("utf-8", "surrogatepass")


def case_of(books: Books, call: Call, parameters: Mapping[str, str]) -> Case:
    """The request, verified: the app first, then the signature, then the rest. Raises: Refused."""
    merchant = merchant_of(books, parameters)
    if not parameters.get("method"):
        raise Refused("40001", "isv.missing-method", "缺少方法名参数")
    _verify(merchant, parameters)
    for name, word in _MISSING:
        if not parameters.get(name):
            raise Refused("40001", f"isv.missing-{word}", f"缺少{name}参数")
    if parameters["charset"].lower() not in ("utf-8", "utf8"):
        raise Refused("40002", "isv.invalid-charset", "字符集错误")
    if china_moment(parameters["timestamp"]) is None:
        raise Refused("40002", "isv.invalid-timestamp", "非法的时间戳参数")
    if parameters.get("format", "JSON").upper() != "JSON":
        raise Refused("40002", "isv.invalid-format", "无效的数据格式")
    biz = biz_of(parameters)
    if biz is None:
        raise Refused("40002", "isv.illegal-json", "JSON格式错误")
    return Case(books, merchant, call, parameters, biz)


def merchant_of(books: Books, parameters: Mapping[str, str]) -> Merchant:
    """Raises: Refused, unsigned."""
    if not parameters.get("app_id"):
        raise Refused("40001", "isv.missing-app-id", "缺少AppID参数", signed=False)
    app_id = parameters["app_id"]
    merchant = books.merchant_with(NAME, "app_id", app_id) if app_id.isascii() else None
    if merchant is None:
        raise Refused("40002", "isv.invalid-app-id", "无效的AppID参数", signed=False)
    return merchant


def _verify(merchant: Merchant, parameters: Mapping[str, str]) -> None:
    if not parameters.get("sign_type"):
        raise Refused("40001", "isv.missing-signature-type", "缺少签名类型参数")
    if parameters["sign_type"] != "RSA2":
        raise Refused("40002", "isv.invalid-signature-type", "无效的签名类型")
    if not parameters.get("sign"):
        raise Refused("40001", "isv.missing-signature", "缺少签名参数")
    try:
        signed = base64.b64decode(parameters["sign"].encode("utf-8", "replace"), validate=True)
    except binascii.Error:
        signed = b""
    public_key = merchant.credentials["app_public_key"]
    if not rsa.genuine(public_key, request_text(parameters), signed):
        raise Refused("40002", "isv.invalid-signature", "验签出错，请检查签名与应用公钥是否匹配")


def answered(
    method: str, content: Mapping[str, Any], merchant: Merchant | None, codec: str = "utf-8"
) -> Answer:
    """The answer to `method`, "" for none that can be told; signed where there is a `merchant`,
    over the bytes in the charset of `codec`."""
    node = f"{method.replace('.', '_')}_response" if method else "error_response"
    charset, mark = ("utf-8", codecs.BOM_UTF8) if codec == "utf-8-sig" else (codec, b"")
    inner = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    raw = inner.encode(charset, "replace")
    sign = f',"sign":"{sign_of(merchant, raw)}"'.encode() if merchant else b""
    return Answer(
        headers={"content-type": f"text/html;charset={charset}"},
        body=mark + f'{{"{node}":'.encode() + raw + sign + b"}",
    )


def sign_of(merchant: Merchant, content: bytes) -> str:
    return base64.b64encode(rsa.signature(merchant.credentials["private_key"], content)).decode()


def letter_text(fields: Mapping[str, str], codec: str = "utf-8") -> bytes:
    """What Alipay signs of what it sends to a merchant: here `sign_type` is left out too."""
    kept = {name: value for name, value in fields.items() if name not in ("sign", "sign_type")}
    text = "&".join(f"{name}={value}" for name, value in sorted(kept.items()))
    return text.encode(codec, "replace")


def yuan(minor: int) -> str:
    return decimals.shown(minor, CURRENCY)


def minor_of(biz: Biz, name: str) -> int:
    """From 0.01 to 100000000 yuan. Raises: Refused."""
    text = biz.get(name)
    if not isinstance(text, str) or not _AMOUNT.fullmatch(text):
        raise invalid(name)
    minor = decimals.minor(text, CURRENCY)
    if minor is None or not 0 < minor <= _MOST_MINOR:
        raise invalid(name)
    return minor


def text_of(biz: Biz, name: str, longest: int) -> str:
    """ "" where it is absent. Raises: Refused."""
    value = biz.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > longest or not value.isprintable():
        raise invalid(name)
    return value


def china_time(moment: datetime) -> str:
    return moment.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")


def china_moment(text: str) -> datetime | None:
    """None for what is no such time, or of no year that anybody means."""
    if not TIME.fullmatch(text) or not "1970" <= text[:4] < "9000":
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA).astimezone(UTC)
    except ValueError:
        return None


def _pairs(text: str) -> dict[str, str]:
    return dict(parse_qsl(text, keep_blank_values=True))
