"""Damaged stamps: whatever stands in one is read without an error, and nothing is read that was not written."""

from hypothesis import given
from hypothesis import strategies as st

from poolsift.readers.authentication_results import parse_authentication_results as parse

STAMPS = [
    "spf=softfail (sender IP is 203.0.113.11) smtp.mailfrom=contoso.com; dkim=none (message not signed) "
    "header.d=none;dmarc=fail action=none header.from=fabrikam.com;compauth=fail reason=000",
    "i=1; mx.microsoft.com 1; spf=pass (sender ip is 2001:db8::1) smtp.rcpttodomain=b.example smtp.mailfrom=a.example; "
    "dmarc=pass (p=none sp=none pct=100) action=none header.from=a.example; dkim=pass (signature was verified) "
    "header.d=a.example; arc=pass (0 oda=1 ltdi=1 spf=[1,1,smtp.mailfrom=c.example])",
    'mx.example.net 1; dkim=pass reason="good (signature)" header.i=@a.example; dkim/1 = fail header.b = "x=="',
]
JUNK = [
    '"',
    "\\",
    "(",
    ")",
    ";",
    "=",
    ".",
    "/",
    " ",
    "\t",
    "\x00",
    "é",
    "\udcff",
    "spf=pass",
    "dkim",
    "i=",
    "sender IP is ",
]


@st.composite
def damaged(draw):
    text = draw(st.sampled_from(STAMPS))
    for _ in range(draw(st.integers(1, 8))):
        place, length = draw(st.integers(0, len(text))), draw(st.integers(0, 5))
        text = text[:place] + draw(st.sampled_from(JUNK) | st.text(max_size=3)) + text[place + length :]
    return text


def written(text):
    """Without what stands between the parts of a name or inside quotes."""
    return "".join(text.replace("\\", "").lower().split())


@given(damaged())
def test_damaged_stamps(text):
    """Each word, name and value was written, in this order or another; asking a stamp for anything is no error."""
    stamp = parse(text)
    asked = (stamp.spf, stamp.dkim, stamp.dmarc, stamp.mail_from, stamp.header_from, stamp.spf_client_address)

    assert all(value is None or isinstance(value, str) for value in asked)
    assert [] == [
        part
        for result in stamp.results
        for part in (result.word, *(value for _, value in result.properties), *result.comments)
        if written(part) not in written(text)
    ]


@given(damaged())
def test_nothing_inside_quotes_or_comments_is_a_result(text):
    """A stamp hidden in a comment or a quoted value adds no result to the one that holds it."""
    inner = text.replace("\\", "").replace('"', "").replace("(", "").replace(")", "")

    assert [("spf", "fail")] == [(each.method, each.word) for each in parse(f"spf=fail ({inner})").results]
    assert [("spf", "fail")] == [
        (each.method, each.word) for each in parse(f'x.example; spf=fail smtp.a="{inner}"').results
    ]
