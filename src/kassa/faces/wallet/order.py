"""The display order of a pay request: the family's data dictionary, every member optional.

It is shown and reported, never used to move money, so only types are checked: a merchant whose
city has too long a name is still paid. Members that are not listed are accepted and not kept.
Source: seed 003; the data dictionary of its documentation family.
"""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

Text = str | UnsetType
Whole = str | Annotated[int, Meta(ge=-(2**53), le=2**53)] | UnsetType
Name = Annotated[str, Meta(max_length=64)] | UnsetType


class _Shape(msgspec.Struct, rename="camel", kw_only=True, omit_defaults=True):
    """Wire names are camelCase; a member that was not sent does not come out again."""


class ShownAmount(_Shape):
    currency: Text = UNSET
    value: Whole = UNSET


class Address(_Shape):
    region: Text = UNSET
    state: Text = UNSET
    city: Text = UNSET
    address1: Text = UNSET
    address2: Text = UNSET
    zip_code: Text = UNSET
    label: Text = UNSET


class Store(_Shape):
    reference_store_id: Text = UNSET
    external_store_id: Text = UNSET
    store_name: Text = UNSET
    store_mcc: Text = msgspec.field(default=UNSET, name="storeMCC")
    store_display_name: Text = UNSET
    store_terminal_id: Text = UNSET
    store_operator_id: Text = UNSET
    store_address: Address | UnsetType = UNSET
    store_phone_no: Text = UNSET


class Merchant(_Shape):
    reference_merchant_id: Text = UNSET
    merchant_mcc: Text = msgspec.field(default=UNSET, name="merchantMCC")
    merchant_name: Text = UNSET
    merchant_display_name: Text = UNSET
    merchant_address: Address | UnsetType = UNSET
    merchant_register_date: Text = UNSET
    store: Store | UnsetType = UNSET


class Goods(_Shape):
    reference_goods_id: Text = UNSET
    goods_name: Text = UNSET
    goods_category: Text = UNSET
    goods_brand: Text = UNSET
    goods_unit_amount: ShownAmount | UnsetType = UNSET
    goods_quantity: Whole = UNSET
    goods_sku_name: Text = UNSET
    goods_url: Text = UNSET
    extend_info: Text = UNSET


class UserName(_Shape):
    full_name: Text = UNSET
    first_name: Text = UNSET
    middle_name: Text = UNSET
    last_name: Text = UNSET


class Shipping(_Shape):
    shipping_name: UserName | UnsetType = UNSET
    shipping_address: Address | UnsetType = UNSET
    shipping_carrier: Text = UNSET
    shipping_phone_no: Text = UNSET
    shipping_fee: ShownAmount | UnsetType = UNSET


class Buyer(_Shape):
    reference_buyer_id: Name = UNSET
    buyer_name: UserName | UnsetType = UNSET
    buyer_phone_no: Text = UNSET
    buyer_email: Text = UNSET


class Env(_Shape):
    terminal_type: Text = UNSET
    os_type: Text = UNSET
    user_agent: Text = UNSET
    device_token_id: Text = UNSET
    client_ip: Text = UNSET
    cookie_id: Text = UNSET
    store_terminal_id: Text = UNSET
    store_terminal_request_time: Text = UNSET
    extend_info: Text = UNSET


class ShownOrder(_Shape):
    """`goods`: the seed's sample has one object where later versions have a list; both are read,
    a list is kept."""

    reference_order_id: Name = UNSET
    order_description: Annotated[str, Meta(max_length=256)] | UnsetType = UNSET
    order_amount: ShownAmount | UnsetType = UNSET
    order_create_time: Text = UNSET
    merchant: Merchant | UnsetType = UNSET
    reference_merchant: Merchant | UnsetType = UNSET
    goods: list[Goods] | UnsetType = UNSET
    shipping: Shipping | UnsetType = UNSET
    buyer: Buyer | UnsetType = UNSET
    env: Env | UnsetType = UNSET
    extend_info: Text = UNSET


def kept(order: ShownOrder) -> dict[str, Any]:
    """The members that were sent, by their wire names, for storing and showing again."""
    members: dict[str, Any] = msgspec.to_builtins(order)
    return members
