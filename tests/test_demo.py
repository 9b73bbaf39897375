"""The demo's archive: the same for a seed, its DNS says what its messages need, and nothing in it contradicts the rules."""

import asyncio
import hashlib
import ipaddress
import json
import random
from datetime import date

import dns.message
import dns.rcode
import pyarrow.parquet as pq
import pytest

from poolsift.demo import draw_messages, write_archive
from poolsift.demo.dns_server import DemoServer, names_of
from poolsift.demo.render import canonical_rows, emailevents_lines, extended_rows
from poolsift.demo.zone import BROKEN, EXISTS, GATEWAY_HOSTS, STRANGERS, SUPPLIERS, authorized, policy
from poolsift.dns.adapters import SnapshotResolver
from poolsift.dns.snapshot import Snapshot
from poolsift.spf.evaluate import evaluate
from poolsift.srs import decode_srs

GATEWAY = ipaddress.ip_network("203.0.113.96/27")


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return write_archive(tmp_path_factory.mktemp("demo"), messages=4_000, seed=3)


@pytest.fixture(scope="module")
def messages():
    return list(draw_messages(6_000, 5))


@pytest.fixture(scope="module")
def snapshot(archive):
    return Snapshot.open(str(archive.snapshot))


def spf_of(snapshot, address, domain):
    return asyncio.run(evaluate(address, domain, None, SnapshotResolver(snapshot))).result.value


def test_one_seed_is_one_archive(archive, tmp_path):
    """Byte for byte; another seed is another one."""

    def hashes(written):
        return [
            hashlib.sha256(path.read_bytes()).digest() for path in (*written.inputs, written.snapshot, written.tenant)
        ]

    same = write_archive(tmp_path / "same", messages=4_000, seed=3)
    other = write_archive(tmp_path / "other", messages=4_000, seed=4)

    assert hashes(archive) == hashes(same)
    assert hashes(archive)[:-2] != hashes(other)[:-2]
    assert hashes(archive)[-2:] == hashes(other)[-2:]


@pytest.mark.parametrize("supplier", [*SUPPLIERS[:8], EXISTS, "supplier58.example", BROKEN])
def test_each_kind_of_record_says_whom_it_authorizes(supplier, snapshot):
    """SPF over the snapshot passes for the authorized hosts and gives the record's other result for the rest."""
    strangers = [*STRANGERS[::11], *GATEWAY_HOSTS[::7]]
    found = {address: spf_of(snapshot, address, supplier) for address in (*authorized(supplier), *strangers)}

    assert dict.fromkeys(authorized(supplier), "pass") | dict.fromkeys(strangers, policy(supplier).otherwise) == found


def test_what_no_log_recorded_the_dns_tells(messages, snapshot):
    """Forwards without SPF: those that it authorizes left by the normal pool, the others by the relay pool."""
    lacking = [each for each in messages if each.inbound_for and each.spf is None]
    pools = {"pass": "RegularOutboundPool"}
    dice = random.Random(1)
    told = [
        pools.get(spf_of(snapshot, each.client_ip, each.mail_from.rpartition("@")[2]), "RegularRelayOutboundPool")
        for each in dice.sample(lacking, 60)
    ]

    assert len(lacking) > 60
    assert len(set(told)) == 2
    assert [each.pool_name for each in random.Random(1).sample(lacking, 60)] == told


def test_logged_results_are_those_of_the_dns(messages, snapshot):
    """Or ``none``, where the record was published later."""
    logged = [each for each in messages if each.inbound_for and each.spf and "+SRS=" not in each.mail_from]
    found = [
        {spf_of(snapshot, each.client_ip, each.mail_from.rpartition("@")[2]), "none"}
        for each in random.Random(2).sample(logged, 80)
    ]

    assert [] == [
        each for each, words in zip(random.Random(2).sample(logged, 80), found, strict=True) if each.spf not in words
    ]


def test_the_address_before_the_gateway_is_recorded_for_mail_behind_it_alone(archive, messages):
    """In the canonical rows; about half of the senders there are authorized."""
    rows = pq.read_table(archive.inputs[-1], columns=["client_ip", "source_ip"]).to_pylist()
    behind = [row["client_ip"] is not None and ipaddress.ip_address(row["client_ip"]) in GATEWAY for row in rows]
    drawn = [each for each in messages if each.source_ip]
    passing = [each.source_ip in authorized(each.mail_from.rpartition("@")[2]) for each in drawn]

    assert any(behind)
    assert behind == [row["source_ip"] is not None for row in rows]
    assert 0.4 < sum(passing) / len(passing) < 0.6


def test_rewritten_senders_hold_the_author_and_the_day_and_never_left_by_the_relay_pool(messages):
    """Microsoft 365 does not rewrite senders in the relay pool."""
    rewritten = [each for each in messages if "+SRS=" in each.mail_from]
    unchanged = [each for each in messages if each.inbound_for and "+SRS=" not in each.mail_from]

    assert len(rewritten) > 50
    assert {"RegularOutboundPool"} == {each.pool_name for each in rewritten}
    assert "RegularRelayOutboundPool" in {each.pool_name for each in unchanged}
    assert [each.header_from for each in rewritten] == [decode_srs(each.mail_from).original for each in rewritten]
    assert [each.time.date() for each in rewritten] == [
        decode_srs(each.mail_from).day(date(2026, 3, 10)) for each in rewritten
    ]


def test_the_forwarding_mailbox_saw_the_sender_before_it_was_rewritten(messages):
    """Trace and EmailEvents: the author towards the mailbox, the rewritten address towards the outside."""
    message = next(each for each in messages if "+SRS=" in each.mail_from)
    rows = [(row["recipient_address"], row["return_path"]) for row in extended_rows(message, random.Random(1))]
    events = [json.loads(line)["properties"] for line in emailevents_lines(message)]
    rows += [(event["RecipientEmailAddress"], event["SenderMailFromAddress"]) for event in events]
    inside = {path for recipient, path in rows if recipient == message.inbound_for}
    outside = {path for recipient, path in rows if recipient != message.inbound_for}

    assert ({message.header_from}, {message.mail_from}) == (inside, outside)


def test_all_three_formats_lack_what_the_message_lacks(messages):
    """No SPF in the row of EmailEvents, none in the record; the trace has no authentication at all."""
    message = next(each for each in messages if each.inbound_for and each.spf is None)
    events = b"".join(emailevents_lines(message))

    assert b'\\"SPF\\"' not in events
    assert b'\\"DKIM\\":\\"none\\"' in events
    assert {None} == {row["spf"] for row in canonical_rows(message)}
    assert {message.client_ip} == {row["original_client_ip"] for row in extended_rows(message, random.Random(1))}


def test_the_server_answers_every_question_as_the_snapshot(archive):
    """Records, absences and failures, each name and type of the file."""
    names = names_of(archive.snapshot)
    with DemoServer(names) as server:
        wrong = [
            (name, rdtype, held)
            for name, types in names.items()
            for rdtype, held in types.items()
            if said(server, name, rdtype) != (sorted(held) if isinstance(held, list) else held)
        ]

    assert len(names) > 700
    assert [] == wrong


def said(server, name, rdtype):
    """The records that the server gives, in order, or its word for none."""
    response = dns.message.from_wire(server.respond(dns.message.make_query(name, rdtype).to_wire()))
    found = sorted(text_of(item) for rrset in response.answer for item in rrset)
    return "unknown" if response.rcode() == dns.rcode.SERVFAIL else found or "absent"


def text_of(item):
    strings = getattr(item, "strings", None)
    return b"".join(strings).decode() if strings else item.to_text().removesuffix(".")
