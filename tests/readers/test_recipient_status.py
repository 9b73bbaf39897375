"""recipient_status, directionality and failure texts: the small cells of message traces."""

import time

import pytest

from poolsift.readers.directionality import DIRECTIONALITY
from poolsift.readers.failure_text import enhanced_code, is_failure_text
from poolsift.readers.ndr_subject import is_ndr_subject, is_postmaster, is_report_sender
from poolsift.readers.recipient_status import recipient_statuses, split_list, status_of
from poolsift.readers.srs_mark import has_srs


def lines(shared, name):
    text = (shared / "facts/samples" / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if not line.startswith("#")]


class TestRecipientStatuses:
    def test_each_recipient_has_its_own_steps(self):
        found = recipient_statuses(
            "a@x.example##Receive, Send;b@y.example##Receive, Fail;c@z.example##Receive, Deliver"
        )

        assert [(one.recipient, status_of(one.steps)) for one in found] == [
            ("a@x.example", "delivered"), ("b@y.example", "failed"), ("c@z.example", "delivered"),
        ]  # fmt: skip

    def test_a_quoted_local_part_may_hold_a_semicolon_and_the_mark(self):
        found = recipient_statuses('"a;b"@x.example##Receive, Send; b@y.example##Receive')

        assert [one.recipient for one in found] == ['"a;b"@x.example', "b@y.example"]

    def test_a_trailing_semicolon_names_nobody(self):
        assert [one.recipient for one in recipient_statuses("a@x.example##Receive;")] == ["a@x.example"]

    def test_a_recipient_without_steps(self):
        assert recipient_statuses("a@x.example")[0].steps == ""

    @pytest.mark.parametrize(
        ("steps", "status"),
        [
            ("Receive, Send", "delivered"), ("Receive,Fail", "failed"), ("RECEIVE", "pending"), ("", None),
            ("Receive, Expand", "expanded"), ("Receive, Quarantined", "quarantined"), ("Receive, Drop", "dropped"),
            ("Receive, FilteredAsSpam", "filtered"), ("Receive, Defer", "pending"), ("Receive, Vanish", None),
            ("Receive, Fail, Deliver", "delivered"), ("Receive, Send external", "delivered"),
        ],
    )  # fmt: skip
    def test_the_last_step_decides(self, steps, status):
        assert status_of(steps) == status

    def test_texts_in_single_quotes_keep_their_semicolons(self):
        assert split_list("'550 5.1.1 a; b';250 OK", "'") == ["'550 5.1.1 a; b'", "250 OK"]

    @pytest.mark.parametrize("unit", ['"', '";', '"a', '\\"', '"\\'])
    def test_hostile_text_takes_linear_time(self, unit):
        start = time.perf_counter()
        recipient_statuses(unit * (1_000_000 // len(unit)))

        assert time.perf_counter() - start < 5


class TestFailureText:
    def test_the_published_texts(self, shared):
        """The code of the reply, not one of the addresses or of the reply that it quotes."""
        codes = [enhanced_code(line) for line in lines(shared, "failure_texts.txt")]

        assert codes == ["5.7.26", "5.7.367", "5.7.233", "5.7.520"]

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("550-5.7.26 x", "5.7.26"), ("smtp;550 5.1.1", "5.1.1"), ("#5.7.1#", "5.7.1"), ("5.1.8.", "5.1.8"),
            ("550 no such user", None), ("host 5.1.8.4 said no", None), ("version 15.1.8", None), ("v5.1.8", None),
            ("[{LRT=7/17/2017};{LED=450 4.4.317 x [LastAttemptedIP=5.1.1.9:25]};{MSG=550 5.0.0}]", "4.4.317"),
            ("[{LED=};{MSG=550 5.1.10 x};{IP=5.1.1.9}]", "5.1.10"),
            ("gone. OutboundProxyTargetHostName: 5.1.1", None),
        ],
    )  # fmt: skip
    def test_codes(self, text, code):
        assert enhanced_code(text) == code

    def test_what_reads_like_a_reply(self):
        assert [is_failure_text(text) for text in ("550 no", "5.1.1 no", "08D4A13;2017-05-22", "")] == [
            True, True, False, False,
        ]  # fmt: skip


class TestWords:
    def test_only_numbers_and_plain_words_are_directions(self):
        """Originating and Incoming say where a message came from, so they give no direction."""
        directions = {word: meaning.direction for word, meaning in DIRECTIONALITY.items() if meaning.direction}

        assert directions == {"1": "inbound", "2": "outbound", "inbound": "inbound", "outbound": "outbound"}
        assert (DIRECTIONALITY["incoming"].inbound, DIRECTIONALITY["originating"].inbound) == (True, False)

    def test_subjects_of_reports(self):
        assert is_ndr_subject("Undeliverable: hello")
        assert is_ndr_subject("UNZUSTELLBAR: hallo")
        assert not is_ndr_subject("Re: Undeliverable: hello")

    def test_senders_of_reports(self):
        assert is_postmaster("Postmaster@contoso.com")
        assert is_report_sender('"postmaster"@contoso.com')
        assert is_report_sender("<MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@contoso.com>")
        assert not is_report_sender("postmaster.x@contoso.com")
        assert not is_report_sender("postmaster")

    def test_every_published_srs_address_is_seen(self, shared):
        addresses = [line.split("\t")[0] for line in lines(shared, "srs_addresses.txt")]

        assert all(has_srs(address) for address in addresses)

    @pytest.mark.parametrize(
        "path", ["<>", "srs@contoso.com", "a+srs@contoso.com", "a@srs0=x.example", "SRS0@x.example"]
    )
    def test_other_addresses_are_not_srs(self, path):
        assert not has_srs(path)
