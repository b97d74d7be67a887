"""Merchants' words for payment methods, and what they allow."""

import pytest

from kassa.payments.domain.payments import Method
from kassa.payments.domain.restrictions import METHODS_OF_WORD, allows, unknown_word


@pytest.mark.parametrize("method", Method)
def test_every_method_has_a_word_and_may_pay_what_names_none(method: Method) -> None:
    assert any(method in methods for methods in METHODS_OF_WORD.values())
    assert allows("", method)
    assert allows(" , ", method)


def test_only_what_is_named_may_pay() -> None:
    assert {one for one in Method if allows("UPI , cc", one)} == {Method.UPI, Method.CREDIT_CARD}
    assert not any(allows("paypal", one) for one in Method)


def test_a_word_that_names_nothing_is_told() -> None:
    assert unknown_word("upi,nonsense,more") == "nonsense"
    assert unknown_word("upi, paypal") == ""
