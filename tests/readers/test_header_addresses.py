"""Addresses are taken out of display names and comments, and never made up."""

import time

import pytest

from poolsift.readers.header_addresses import domain_of, mailboxes, reverse_path


class TestMailboxes:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("ann@example.com", ["ann@example.com"]),
            ("Ann <ann@example.com>", ["ann@example.com"]),
            ('"Bob, <bob@evil.example>" <ann@example.com>', ["ann@example.com"]),
            ("bob@evil.example <ann@example.com>", ["ann@example.com"]),
            ("ann@example.com (Ann <bob@evil.example>)", ["ann@example.com"]),
            ("ann(x)@example.com", ["ann@example.com"]),
            ("Smith, Ann <ann@example.com>", ["ann@example.com"]),
            ("=?utf-8?q?a=40evil=2eexample=3e?= <ann@example.com>", ["ann@example.com"]),
            ("=?utf-8?q?a=40evil=2eexample?=@example.com", ["=?utf-8?q?a=40evil=2eexample?=@example.com"]),
            ('"a@evil.example"@example.com', ['"a@evil.example"@example.com']),
            ('<"a b"@example.com>', ['"a b"@example.com']),
            ("<@relay.example:ann@example.com>", ["<@relay.example:ann@example.com>"]),
            (
                "Team: ann@example.com, Bob <bob@example.com>; eve@example.com",
                ["ann@example.com", "bob@example.com", "eve@example.com"],
            ),
            ("undisclosed-recipients:;", []),
            ("Ann Smith", []),
            ("<>", []),
            ("", []),
            ("Ann ann@example.com", ["Ann ann@example.com"]),
            ("<a@example.com> <b@example.com>", ["<a@example.com> <b@example.com>"]),
            ("Ann <ann@example.com", ["Ann <ann@example.com"]),
        ],
    )
    def test_lists(self, text, expected):
        """Each mailbox gives its address as written; what cannot be told stays unusable."""
        assert mailboxes(text) == expected

    @pytest.mark.parametrize("piece", ["<", '"', "(", ",", "a@b,", ":", "<a@b", '"\\'])
    def test_time_is_linear(self, piece):
        """256 KiB of any piece are read in little time."""
        started = time.process_time()
        mailboxes(piece * ((256 << 10) // len(piece)))

        assert time.process_time() - started < 5


class TestReversePath:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("<ann@example.com>", "ann@example.com"),
            ("ann@example.com", "ann@example.com"),
            ("<>", "<>"),
            (" <> ", "<>"),
            ("", None),
            ("x", None),
        ],
    )
    def test_paths(self, text, expected):
        """The null reverse-path is kept apart from none."""
        assert reverse_path(text) == expected


def test_domain_of():
    """The domain is what stands after the last @; a bare domain is itself."""
    assert [domain_of(text) for text in ("A@B.example", '"x@y"@B.example.', "b.EXAMPLE")] == ["b.example"] * 3
