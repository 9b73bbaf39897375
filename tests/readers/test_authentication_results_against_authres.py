"""RFC 8601 forms as the authres package reads them, and the places where it and poolsift differ on purpose."""

import re

import authres
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poolsift.readers.authentication_results import parse_authentication_results as parse

#: RFC 8601 appendix B.2 to B.6 and RFC 8617 appendix B, values alone, unfolded.
PUBLISHED = [
    "example.org 1; none",
    "example.com; spf=pass smtp.mailfrom=example.net",
    "example.com; auth=pass (cram-md5) smtp.auth=sender@example.net; spf=pass smtp.mailfrom=example.net",
    "example.com; iprev=pass policy.iprev=192.0.2.200",
    "example.com; auth=pass (cram-md5) smtp.auth=sender@example.com; spf=fail smtp.mailfrom=example.com",
    "example.com; dkim=pass (good signature) header.d=example.com",
    'example.com; dkim=pass reason="good signature" header.i=@mail-router.example.net; '
    'dkim=fail reason="bad signature" header.i=@newyork.example.com',
    "example.net; dkim=pass (good signature) header.i=@newyork.example.com",
    "lists.example.org; spf=pass smtp.mailfrom=jqd@d1.example; dkim=pass (1024-bit key) header.i=@d1.example; dmarc=pass",
    "gmail.example; spf=fail smtp.mailfrom=jqd@d1.example; dkim=fail (512-bit key) header.i=@example.org; dmarc=fail; "
    "arc=pass (as.1.lists.example.org=pass, ams.1.lists.example.org=pass)",
]


def ours(text):
    """(authserv-id, results), a result as (method, word, properties); ``reason`` stands first where it is given."""
    stamp = parse(text)
    return stamp.authserv_id, [(result.method, result.word, list(result.properties)) for result in stamp.results]


def theirs(text):
    """The same of authres, which leaves the backslashes of quoted pairs in."""
    header = authres.AuthenticationResultsHeader.parse(f"Authentication-Results: {text}")
    return header.authserv_id, [(result.method, result.result, properties(result)) for result in header.results]


def properties(result):
    written = [(f"{item.type}.{item.name}", plain(item.value)) for item in result.properties]
    return [("reason", plain(result.reason)), *written] if result.reason else written


def plain(value):
    """Without quoted pairs; authres keeps the quotes of a quoted local part, and so do we."""
    return value if value.startswith('"') else re.sub(r"\\(.)", r"\1", value)


@pytest.mark.parametrize("text", PUBLISHED)
def test_published_examples(text):
    """The examples of the standards are read as authres reads them."""
    assert theirs(text) == ours(text)


LABEL = st.text("abcXYZ019", min_size=1, max_size=4)
DOMAIN = st.lists(LABEL, min_size=1, max_size=3).map(".".join)
WORD = st.text("abcXYZ019!#$%&'*+^_`{|}~-", min_size=1, max_size=6)
# What would be a result, an end or a comment if it did not stand inside quotes or parentheses.
TEMPTING = ["; dkim=pass", " spf=pass ", "=", ";", "header.d=evil.example", ".", "/1"]
QUOTED = st.lists(st.sampled_from([*TEMPTING, "(", ")", '\\"', "\\\\", "a b", "x"]), min_size=1, max_size=4).map(
    lambda parts: f'"{"".join(parts)}"'
)
COMMENT = st.recursive(
    st.lists(st.sampled_from([*TEMPTING, '"', "\\)", "a b", "sender IP is 192.0.2.1"]), max_size=3).map("".join),
    lambda inner: inner.map(lambda text: f"a({text})b"),
    max_leaves=3,
).map(lambda text: f"({text})")
SPACE = st.sampled_from([" ", "\t", "  "])
#: Blanks that may stand, blanks that must; a comment behind one now and then. Not before one: see the differences.
MAY = st.just("") | SPACE | st.builds("{}{}".format, SPACE, COMMENT)
MUST = SPACE | st.builds("{}{}".format, SPACE, COMMENT)
METHOD = st.sampled_from(
    ["spf", "DKIM", "dmarc", "auth", "iprev", "arc", "domainkeys", "sender-id", "dkim-adsp", "vbr", "x-mine"]
)
PTYPE = st.sampled_from(["smtp", "header", "HEADER", "body", "policy"])
NAME = st.sampled_from(["mailfrom", "helo", "d", "i", "from", "auth", "iprev", "b", "remote-ip", "X-y"])
ATOM = st.one_of(
    DOMAIN,
    st.builds("{}@{}".format, LABEL, DOMAIN),
    st.builds("@{}".format, DOMAIN),
    st.builds('"{}"@{}'.format, st.sampled_from(["a b", "a; dkim=pass", "("]), DOMAIN),
    st.sampled_from(["192.0.2.1", "c2lnbmF0dXJl==", "x=y"]),
)


@st.composite
def properties_text(draw):
    pairs = []
    count = draw(st.integers(0, 4))
    for number in range(count):
        # authres drops a quoted value unless it is the last: see below
        value = draw(ATOM | QUOTED) if number == count - 1 else draw(ATOM)
        dot = f"{draw(MAY)}.{draw(MAY)}"
        pairs.append(f"{draw(MUST)}{draw(PTYPE)}{dot}{draw(NAME)}{draw(MAY)}={draw(MAY)}{value}")
    return "".join(pairs)


@st.composite
def headers(draw):
    """A value of the grammar of RFC 8601 section 2.2 with comments and blanks wherever it allows them."""
    text = draw(DOMAIN) + draw(st.just("") | MUST.map(lambda space: f"{space}1"))
    results = []
    for _ in range(draw(st.integers(0, 4))):
        version = draw(st.just("") | st.builds("{}/{}1".format, MAY, MAY))
        reason = draw(st.just("") | st.builds("{}reason{}={}{}".format, MUST, MAY, MAY, WORD | QUOTED))
        word = draw(st.sampled_from(["pass", "Fail", "none", "temperror", "x-odd"]))
        results.append(f"{draw(METHOD)}{version}{draw(MAY)}={draw(MAY)}{word}{reason}{draw(properties_text())}")
    return text + "".join(f"{draw(MAY)};{draw(MAY)}{result}" for result in results or ["none"])


@given(headers())
def test_any_header_of_the_grammar(text):
    """Service, methods, results, reasons and properties in order; nothing inside quotes or comments is a result."""
    assert theirs(text) == ours(text)


@given(headers(), st.integers(1, 50))
def test_arc_values_are_the_same_behind_their_instance(text, instance):
    """RFC 8617 section 4.1.1: the instance, then what RFC 8601 says."""
    assert ours(text) == ours(f"i={instance}; {text}")
    assert instance == parse(f"i={instance}; {text}").instance


class TestDifferences:
    """Where the oracle is not followed; each is read as RFC 8601 has it."""

    def test_comments_and_blanks_wherever_the_grammar_allows_them(self):
        """RFC 8601 B.7; authres gives up at a blank behind a comment in some places."""
        text = (
            "foo.example.net (foobar) 1 (baz); dkim (Because I like it) / 1 (One yay) = (wait for it) fail policy "
            "(A dot can go here) . (like that) expired (this surprised me) = (as I wasn't expecting it) 1362471462"
        )

        assert ("foo.example.net", [("dkim", "fail", [("policy.expired", "1362471462")])]) == ours(text)
        with pytest.raises(authres.SyntaxError):
            theirs(text)

    def test_a_quoted_value_that_is_not_the_last(self):
        """authres drops it."""
        text = 'example.com; dkim=pass header.i="x y" header.d=example.com'

        assert [("header.i", "x y"), ("header.d", "example.com")] == ours(text)[1][0][2]
        assert [("header.d", "example.com")] == theirs(text)[1][0][2]

    def test_property_types_of_later_standards(self):
        """authres knows four types by name; ``dns`` is one of RFC 8904."""
        text = "example.com; dnswl=pass dns.zone=list.example policy.ip=127.0.0.2"

        assert [("dns.zone", "list.example"), ("policy.ip", "127.0.0.2")] == ours(text)[1][0][2]
        assert [("policy.ip", "127.0.0.2")] == theirs(text)[1][0][2]

    def test_a_quoted_service(self):
        """An authserv-id may be a quoted string (RFC 8601 section 2.2); authres refuses it."""
        text = '"mail room"; spf=pass'

        assert ("mail room", [("spf", "pass", [])]) == ours(text)
        with pytest.raises(authres.SyntaxError):
            theirs(text)

    @pytest.mark.parametrize("text", ["spf=pass smtp.mailfrom=a.example; dkim=none", "spf=pass;", ""])
    def test_values_without_a_service(self, text):
        """Microsoft writes none; authres refuses that."""
        assert ours(text)[0] is None
        with pytest.raises(authres.SyntaxError):
            theirs(text)
