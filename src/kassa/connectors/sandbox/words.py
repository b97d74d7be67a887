"""What the provider's pages say, in English and Chinese."""

import re
from collections.abc import Mapping

LANGUAGES: Mapping[str, str] = {"en": "English", "zh": "中文"}

WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "provider": "Sandbox bank",
        "notice": "This is a test page. No real money moves.",
        "challenge_title": "Approve this payment?",
        "amount": "Amount",
        "for": "For",
        "order": "Order",
        "card": "Card",
        "until": "Answer before",
        "approve": "Approve",
        "refuse": "Refuse",
        "captured_title": "Payment approved",
        "declined_title": "Payment not approved",
        "authorized_title": "Payment approved",
        "voided_title": "Payment canceled",
        "decided": "This payment has been decided already. Nothing more can be done here.",
        "return": "Return to the shop",
        "close": "You may close this page.",
        "unknown_title": "No such payment",
        "unknown": "This address belongs to no payment. Return to the shop and start again.",
        "bad_form_title": "The form could not be read",
        "bad_form": "Nothing has been decided. Open the page again and press one of its buttons.",
        "again": "Open the page again",
        "books_title": "Books of the sandbox provider",
        "books_intro": "What this provider has on record: the newest 100 charges.",
        "locked_title": "An API key is needed",
        "locked": "These books are shown to the merchant whose charges they are: the password is"
        " the API key of a company that was given the sandbox.",
        "no_charges": "No charges yet.",
        "totals_title": "Moved in all",
        "report_title": "Settlement report",
        "report_intro": "What moved on one day (UTC), as CSV:",
        "bad_day_title": "No such day",
        "bad_day": "The report is asked for with a day such as ?day=2026-11-22.",
        "to_books": "Back to the books",
        "charges_title": "Charges",
        "key": "Caller's reference",
        "state": "State",
        "reason": "Reason",
        "time": "Time (UTC)",
        "fee": "Fee",
        "currency": "Currency",
        "captured_amount": "Captured",
        "refunded_amount": "Refunded",
        "disputed_amount": "Disputed",
        "authorized": "reserved",
        "voided": "let go",
        "captured": "captured",
        "declined": "declined",
        "action_needed": "waiting for the payer",
        "pending": "pending",
        "lost": "never arrived",
    },
    "zh": {
        "provider": "沙盒银行",
        "notice": "这是测试页面，不会产生真实扣款。",
        "challenge_title": "确认这笔付款吗?",
        "amount": "金额",
        "for": "商品",
        "order": "订单",
        "card": "银行卡",
        "until": "请在此时间前确认",
        "approve": "同意付款",
        "refuse": "拒绝付款",
        "captured_title": "付款已确认",
        "declined_title": "付款未通过",
        "authorized_title": "付款已确认",
        "voided_title": "付款已撤销",
        "decided": "这笔付款已经处理完毕，无需再操作。",
        "return": "返回商户",
        "close": "您可以关闭此页面。",
        "unknown_title": "没有这笔付款",
        "unknown": "此地址不对应任何付款。请返回商户重新开始。",
        "bad_form_title": "无法读取提交的内容",
        "bad_form": "尚未作出任何决定。请重新打开页面，再点击其中一个按钮。",
        "again": "重新打开页面",
        "books_title": "沙盒支付机构账簿",
        "books_intro": "本机构的记录：最近 100 笔扣款。",
        "locked_title": "需要 API 密钥",
        "locked": "账本只向相应的商户展示: 请以已开通沙盒的公司的 API 密钥作为密码登录。",
        "no_charges": "还没有记录。",
        "totals_title": "累计金额",
        "report_title": "结算报表",
        "report_intro": "某一天（UTC）的资金变动，CSV 格式：",
        "bad_day_title": "日期无效",
        "bad_day": "请在地址中指明日期，例如 ?day=2026-11-22。",
        "to_books": "返回账簿",
        "charges_title": "扣款记录",
        "key": "请求方编号",
        "state": "状态",
        "reason": "原因",
        "time": "时间（UTC）",
        "fee": "手续费",
        "currency": "币种",
        "captured_amount": "已扣款",
        "refunded_amount": "已退款",
        "disputed_amount": "争议金额",
        "authorized": "已预授权",
        "voided": "已撤销",
        "captured": "已扣款",
        "declined": "已拒绝",
        "action_needed": "等待付款人确认",
        "pending": "处理中",
        "lost": "请求未到达",
    },
}

_RANGE = re.compile(
    r"\s{0,8}+([A-Za-z]{1,8}+)(?:-[A-Za-z0-9-]{0,64}+)?\s{0,8}+"
    r"(?:;\s{0,8}+q=([01](?:\.[0-9]{0,3}+)?)\s{0,8}+)?"
)


def language_of(chosen: str, accepted: str) -> str:
    """The language to answer in: the one `chosen`, else the best of an Accept-Language header."""
    if chosen in LANGUAGES:
        return chosen
    best, best_weight = "en", ""
    for part in accepted[:1000].split(","):
        match = _RANGE.fullmatch(part)
        if match is None:
            continue
        language, weight = match[1].lower(), (match[2] or "1")
        # Weights are one digit and a fraction, so their texts compare as their values do.
        if language in LANGUAGES and weight > best_weight and weight.strip("0."):
            best, best_weight = language, weight
    return best
