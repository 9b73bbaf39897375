"""The native kernel and Arrow: every layout of a column gives the same verdicts, and broken arrays are refused, not read."""

import ctypes
import functools
import struct
import threading
from datetime import UTC, datetime
from random import Random

import pyarrow as pa
import pytest

from poolsift._native.core import DnsTable, DomainMemo, Kernel
from poolsift._native.nouns import split_mailbox
from poolsift.domain_facts import canonical_domain, organizational_domain

RULES = ["not_outbound", "blocked", "relay_unauthenticated", "normal", "undetermined"]
POOLS = {"normal": 0, "relay": 2, "blocked": 4, "not_outbound": 5, "undetermined": 6}
ACCEPT_DOMAIN, AUTHORIZE, FILTERING, CONTACT, INVESTIGATE, DIRECTION = 11, 14, 12, 8, 15, 20
CONTOSO = "00000000-0000-0000-0000-00000000000A"


def decision(state):
    """A made-up profile that looks at four facts: enough to reach each part of the kernel."""
    outbound, blocked, accepted, spf, dkim = (state >> shift & 3 for shift in (0, 4, 10, 12, 14))
    if outbound == 1:
        return POOLS["not_outbound"], 0, 1 << 5, 255
    if blocked == 2:
        return POOLS["blocked"], 1, 1 << 4, 255
    if accepted == spf == dkim == 1:
        return POOLS["relay"], 2, 1 << 2, 255
    if outbound == 0:
        return POOLS["undetermined"], 4, 0b100001, DIRECTION
    return POOLS["normal"], 3, 1, 255


TABLE = bytes(byte for state in range(1 << 16) for byte in decision(state))
ALL_NORMAL = bytes((0, 3, 1, 255)) * (1 << 16)


def fix(rule, reason, context):
    if rule == 1:
        return CONTACT if reason == 6 else 255
    if rule != 2:
        return 255
    return ACCEPT_DOMAIN if context & 2 else FILTERING if context & 12 == 12 else AUTHORIZE


def spec(**changes):
    tenant = {
        "id": None,
        "accepted": [("contoso.com", False), ("lab.example", True), ("xn--bcher-kva.example", False)],
        "learned": False,
        "own": ["contoso.com"],
        "gateways": [(bytes([203, 0, 113, 0]), 24, True)],
    }
    base = {
        "profiles": [("decides", TABLE), ("lenient", ALL_NORMAL)],
        "timeline": [(-(1 << 63), 1), (1_600_000_000_000_000, 0)],
        "timeless": 0,
        "compare": [1],
        "rules": RULES,
        "fixes": bytes(fix(rule, reason, context) for rule in range(5) for reason in range(9) for context in range(64)),
        "investigate": (3, INVESTIGATE),
        "prefixes": [(bytes([40, 95, 0, 0]), 16, None, None, 2), (bytes([40, 92, 0, 0]), 15, None, None, 0)],
        "host_suffixes": [".outbound.protection.outlook.com"],
        "host_codes": {"on": 0, "hn": 1, "olkn": 4, "bgr": 255},
        "pool_names": {"regularrelayoutboundpool": 2},
        "pool_name_patterns": [("contains", ["highrisk"], 1)],
        "sfp": {1501: 1, 1101: 0, 1022: 2, 1023: 3},
        "blocks": [("5.7.705", None, False, 6), ("5.1.8", "bad outbound sender", False, 0)],
        "special_use": ["local"],
        "consumer_tenants": ["84df9e7f-e9f6-40af-b435-aaaaaaaaaaaa"],
        "ndr_senders": ["microsoftexchange329e71ec88ae4615bbc36ab6ce41109e"],
        "postmasters": ["postmaster", "mailer-daemon"],
        "tenants": [tenant],
        "dns": DnsTable.build(
            ["contoso.com", "bad.example", "bad.example"], ["A", "A", "MX"], ["present", "absent", "absent"], [0] * 3
        ),
    }
    return base | changes


@pytest.fixture(scope="module")
def kernel():
    return Kernel(spec())


def answer(memo, names):
    for number, text, need in names:
        canonical = canonical_domain(text) if need & 1 else text
        memo.fill(number, canonical, organizational_domain(canonical) if canonical and need & 2 else None)


def classify(kernel, batch, memo=None):
    """The verdict columns of a record batch, as a validated pyarrow batch."""
    memo = DomainMemo(kernel) if memo is None else memo
    schema, array = batch.__arrow_c_array__()
    answer(memo, kernel.names(schema, array, memo))
    result = pa.RecordBatch._import_from_c_capsule(*kernel.classify(schema, array, memo))
    result.validate(full=True)
    return result


def one(kernel, **record):
    return classify(kernel, pa.RecordBatch.from_pylist([record])).to_pylist()[0]


def fact(evidence, number):
    return ("unknown", "no", "yes")[evidence >> 2 * number & 3]


TIME = datetime(2024, 5, 2, tzinfo=UTC)
RECORDS = [
    {"mail_from": "ann@contoso.com", "header_from": "Ann@Contoso.COM", "recipient": "bob@partner.example", "spf": "pass", "dkim": "none", "time": TIME},
    {"mail_from": "<>", "header_from": "x@bad.example", "recipient": "bob@partner.example", "sfp": 1501, "time": TIME},
    {"mail_from": "a@app.contoso.com", "recipient": "bob@partner.example", "spf": "fail", "dkim": "none", "client_ip": "203.0.113.7", "outbound_ip": "40.95.1.2", "time": TIME},
    {"mail_from": "a@other.example", "recipient": "bob@partner.example", "spf": "softfail", "dkim": "fail", "client_ip": "203.0.113.7", "time": TIME},
    {},
    {"mail_from": "a@b@c", "recipient": "<>", "direction": "INBOUND", "spf": "later", "dkim": "", "time": TIME},
    {"mail_from": "a@bücher.example", "recipient": "x@XN--BCHER-KVA.example", "direction": "outbound", "kind": "NDR", "time": TIME},
    {"mail_from": "a@[192.0.2.1]", "recipient": "c@d.lab.example", "spam": True, "accepted": False, "forwarded": True, "submitted": True, "time": TIME},
    {"mail_from": "SRS0=abc=AB=source.example=user@contoso.com", "recipient": "p@partner.example", "dkim": "pass", "dkim_domain": " esp.example , contoso.com", "time": TIME},
    {"mail_from": "n@mail.brand.example", "header_from": "n@brand.example", "dkim": "pass", "dkim_domain": "news.brand.example", "time": TIME},
    {"mail_from": "n@mail.brand.example", "header_from": "n@brand.example", "dkim": "pass", "dkim_domain": "esp.example", "spf": "none", "dmarc": "pass", "time": TIME},
    {"mail_from": "n@brand.example", "status": "Failed", "status_code": " 5.7.705 ", "status_text": "550 5.7.705 tenant has exceeded threshold", "recipient": "p@partner.example", "connector": "c", "time": TIME},
    {"mail_from": "n@brand.example", "status": "failed", "status_code": "5.1.8", "status_text": "Domain not found [40.95.1.1]", "outbound_host": "mail-eopbgr1on2049.outbound.protection.outlook.com", "outbound_ip_pool_name": "RegularRelayOutboundPool", "time": TIME},
    {"mail_from": "n@brand.example", "time": datetime(2010, 1, 1, tzinfo=UTC), "recipient": "p@partner.example"},
]  # fmt: skip
TEXT = ("tenant_id kind direction mail_from header_from recipient client_ip outbound_ip outbound_host outbound_ip_pool_name spf dkim "
        "dmarc dkim_domain status status_code status_text connector").split()  # fmt: skip
BOOLS = ["accepted", "spam", "forwarded", "submitted"]
SCHEMA = pa.schema(
    [
        ("time", pa.timestamp("us", tz="UTC")),
        ("sfp", pa.int32()),
        *[(name, pa.string()) for name in TEXT],
        *[(name, pa.bool_()) for name in BOOLS],
    ]
)
BATCH = pa.RecordBatch.from_pylist([{"tenant_id": CONTOSO} | record for record in RECORDS], schema=SCHEMA)


def with_texts(cast):
    return pa.RecordBatch.from_arrays(
        [cast(column) if pa.types.is_string(column.type) else column for column in BATCH.columns],
        names=BATCH.schema.names,
    )


def dictionary(index_type, value_type=None):
    def cast(column):
        encoded = (column.cast(value_type) if value_type else column).dictionary_encode()
        return pa.DictionaryArray.from_arrays(encoded.indices.cast(index_type), encoded.dictionary)

    return cast


def runs(column):
    ends, values = zip(*[(number + 1, value) for number, value in enumerate(column)], strict=True)
    return pa.RunEndEncodedArray.from_arrays(
        pa.array(ends, pa.int32()), pa.array([value.as_py() for value in values], column.type)
    )


def null_in_dictionary(column):
    """Each null is a valid index of a null entry; every value stands twice."""
    values = column.drop_null().to_pylist()
    index = [2 * values.index(value) + 2 if value is not None else 0 for value in column.to_pylist()]
    entries = [None, None] + [value for value in values for _ in (0, 1)]
    return pa.DictionaryArray.from_arrays(pa.array(index, pa.int16()), pa.array(entries, pa.string()))


def unaligned(column):
    """The same column with every buffer one byte off its alignment."""
    moved = [
        None if buffer is None else pa.py_buffer(b"\0" + buffer.to_pybytes()).slice(1) for buffer in column.buffers()
    ]
    return pa.Array.from_buffers(column.type, len(column), moved, -1, column.offset)


LAYOUTS = {
    "large": lambda column: column.cast(pa.large_string()),
    "view": lambda column: column.cast(pa.string_view()),
    "binary": lambda column: column.cast(pa.binary()),
    "large binary": lambda column: column.cast(pa.large_binary()),
    "binary view": lambda column: column.cast(pa.binary()).cast(pa.binary_view()),
    **{
        f"dictionary {kind}": dictionary(kind)
        for kind in map(
            str, (pa.int8(), pa.uint8(), pa.int16(), pa.uint16(), pa.int32(), pa.uint32(), pa.int64(), pa.uint64())
        )
    },
    "dictionary of large": dictionary(pa.int32(), pa.large_string()),
    "null in dictionary": null_in_dictionary,
    "runs": runs,
    "unaligned": unaligned,
    "slice": lambda column: pa.concat_arrays(
        [pa.array(["x" * 40, None, ""], pa.string()), column, pa.array(["tail"])]
    ).slice(3, len(column)),
    "slice of views": lambda column: (
        pa.concat_arrays([pa.array(["x" * 40, None], pa.string()), column]).cast(pa.string_view()).slice(2)
    ),
    "slice of dictionary": lambda column: pa.concat_arrays([pa.array(["y"]), column]).dictionary_encode().slice(1),
    "slice of runs": lambda column: runs(pa.concat_arrays([pa.array(["y"]), column])).slice(1),
}


class TestLayouts:
    @pytest.mark.parametrize("layout", LAYOUTS)
    def test_every_layout_gives_the_same_verdicts(self, kernel, layout):
        assert classify(kernel, BATCH).equals(classify(kernel, with_texts(LAYOUTS[layout])))

    @pytest.mark.parametrize("start", range(len(RECORDS)))
    def test_a_slice_of_the_batch_gives_a_slice_of_the_verdicts(self, kernel, start):
        expected = classify(kernel, BATCH).slice(start, 3)

        assert expected.to_pylist() == classify(kernel, BATCH.slice(start, 3)).to_pylist()

    def test_a_struct_with_an_offset(self, kernel):
        whole = pa.concat_arrays([BATCH.slice(0, 5).to_struct_array(), BATCH.to_struct_array()]).slice(5)
        memo = DomainMemo(kernel)
        schema, array = whole.__arrow_c_array__()
        answer(memo, kernel.names(schema, array, memo))
        verdicts = pa.RecordBatch._import_from_c_capsule(*kernel.classify(schema, array, memo))

        assert classify(kernel, BATCH).equals(verdicts)

    @pytest.mark.parametrize("rows", [255, 256, 257, 1000])
    def test_more_rows_than_a_block(self, kernel, rows):
        many = pa.Table.from_batches([BATCH] * (rows // len(BATCH) + 1)).combine_chunks().to_batches()[0].slice(0, rows)
        expected = classify(kernel, BATCH).to_pylist()

        assert [expected[row % len(expected)] for row in range(rows)] == classify(kernel, many).to_pylist()

    def test_null_columns_and_unknown_columns_say_nothing(self, kernel):
        nulls = pa.RecordBatch.from_arrays(
            [pa.nulls(2)] * len(SCHEMA.names) + [pa.array([1.5, 2.5])], names=[*SCHEMA.names, "subject"]
        )
        expected = classify(kernel, pa.RecordBatch.from_arrays([pa.array([None, None], pa.string())], names=["spf"]))

        assert expected.equals(classify(kernel, nulls))

    def test_no_rows(self, kernel):
        empty = classify(kernel, BATCH.slice(0, 0))

        assert empty.num_rows == 0
        assert pa.RecordBatch.from_pylist([], schema=empty.schema).equals(empty)

    @pytest.mark.parametrize("kind", [pa.int8(), pa.uint8(), pa.int16(), pa.uint16(), pa.int64(), pa.uint64()])
    def test_integers_of_any_width(self, kernel, kind):
        batch = pa.RecordBatch.from_arrays([pa.array([None, 7], kind)], names=["sfp"])

        assert [0, 2] == [row["evidence"] & 3 for row in classify(kernel, batch).to_pylist()]

    @pytest.mark.parametrize(
        "kind",
        [
            pa.timestamp("s"),
            pa.timestamp("ms", tz="UTC"),
            pa.timestamp("us"),
            pa.timestamp("ns"),
            pa.date32(),
            pa.date64(),
        ],
        ids=str,
    )
    def test_times_of_any_unit(self, kernel, kind):
        """Before 2020-09-13 the lenient profile holds, without time the other."""
        texts = ["a@other.example"] * 3
        times = pa.array([datetime(1960, 1, 1), datetime(2024, 1, 1), None], pa.timestamp("s")).cast(kind)
        batch = pa.RecordBatch.from_arrays(
            [times, pa.array(texts), pa.array(["fail"] * 3), pa.array(["none"] * 3)],
            names=["time", "mail_from", "spf", "dkim"],
        )

        assert ["normal", "relay", "relay"] == [row["pool"] for row in classify(kernel, batch).to_pylist()]

    def test_addresses_of_any_type(self, kernel):
        values = {
            pa.string(): "40.95.1.2",
            pa.binary(4): bytes([40, 95, 1, 2]),
            pa.binary(16): bytes(10) + b"\xff\xff" + bytes([40, 95, 1, 2]),
            pa.uint32(): 0x285F0102,
        }
        for kind, value in values.items():
            batch = pa.RecordBatch.from_arrays([pa.array([None, value], kind)], names=["outbound_ip"])

            assert [None, "relay"] == [row["observed_pool"] for row in classify(kernel, batch).to_pylist()], kind


class TestOutput:
    def test_the_columns_and_their_types(self, kernel):
        words = pa.dictionary(pa.int8(), pa.string())
        expected = [("pool", words), ("rule", words), ("evidence", pa.uint32()), ("candidates", pa.uint8()), ("observed_pool", words),
                    ("observed_from", words), ("agreement", words), ("fix", words), ("sender_domain", pa.string()), ("sender_from", words),
                    ("spf_from", words), ("srs_sender", pa.string()), ("compare_0", pa.uint8())]  # fmt: skip

        assert expected == [(field.name, field.type) for field in classify(kernel, BATCH).schema]

    def test_null_slots_are_zero(self, kernel):
        column = classify(kernel, BATCH)["observed_pool"]
        indices = pa.Array.from_buffers(pa.int8(), len(column), [None, column.indices.buffers()[1]])

        assert {0} == {
            index for index, value in zip(indices.to_pylist(), column.to_pylist(), strict=True) if value is None
        }

    def test_verdicts_outlive_kernel_memo_and_input(self):
        verdicts = classify(Kernel(spec()), BATCH)["sender_domain"]

        assert "contoso.com" == verdicts.to_pylist()[0]

    def test_capsules_that_nobody_takes_free_their_memory(self, kernel):
        memo = DomainMemo(kernel)
        schema, array = BATCH.slice(0, 1).__arrow_c_array__()
        answer(memo, kernel.names(schema, array, memo))
        for _ in range(3):
            del memo, schema, array
            memo = DomainMemo(kernel)
            schema, array = BATCH.slice(0, 1).__arrow_c_array__()
            assert 2 == len(kernel.classify(schema, array, memo))


class TestVerdicts:
    def test_the_words_of_a_few_records(self, kernel):
        rows = classify(kernel, BATCH).to_pylist()
        expected = ["normal", "normal", "relay", "relay", "undetermined", "not_outbound", "not_outbound", "not_outbound", "normal", "undetermined",
                    "relay", "blocked", "normal", "normal"]  # fmt: skip

        assert expected == [row["pool"] for row in rows]
        assert ["investigate", "accept_domain", "enable_enhanced_filtering", "get_direction"] == [
            rows[number]["fix"] for number in (1, 2, 3, 4)
        ]
        assert "contact_microsoft" == rows[11]["fix"]
        assert "user@source.example" == rows[8]["srs_sender"]
        assert "xn--bcher-kva.example" == rows[6]["sender_domain"]
        assert ("mail_from", "header_from", None) == tuple(rows[number]["sender_from"] for number in (0, 1, 5))

    def test_dkim(self, kernel):
        rows = classify(kernel, BATCH).to_pylist()

        assert ["no", "yes", "unknown", "no"] == [fact(rows[number]["evidence"], 7) for number in (0, 8, 9, 10)]

    def test_dkim_needs_no_question_for_names_far_apart(self, kernel):
        memo = DomainMemo(kernel)
        batch = pa.RecordBatch.from_pylist(
            [{"header_from": "a@brand.example", "dkim": "pass", "dkim_domain": "brand.invalid,esp.example.net"}]
        )

        assert [] == kernel.names(*batch.__arrow_c_array__(), memo)

    def test_domains_that_resolve(self, kernel):
        domains = {
            "contoso.com": "yes",
            "bad.example": "no",
            "elsewhere.example": "unknown",
            "printer.local": "no",
            "localhost": "no",
            "[192.0.2.1]": "unknown",
        }

        assert domains == {domain: fact(one(kernel, mail_from=f"a@{domain}")["evidence"], 1) for domain in domains}

    def test_a_conflict_between_sources(self, kernel):
        row = one(kernel, outbound_ip_pool_name="HighRiskPool", outbound_ip="40.92.1.1", sfp=1023)

        assert ("high_risk", "pool_name", True) == (
            row["observed_pool"],
            row["observed_from"],
            bool(row["evidence"] >> 20 & 1),
        )

    def test_sfp_1023_makes_relay_high_risk(self, kernel):
        row = one(kernel, outbound_ip="40.95.1.1", sfp=1023)

        assert ("relay_high_risk", 0) == (row["observed_pool"], row["evidence"] >> 20 & 1)

    def test_consumer_hosts_and_tenants_are_not_outbound(self, kernel):
        host = one(kernel, outbound_host="mail-dm6nam12olkn2049.outbound.protection.outlook.com")
        tenant = one(kernel, tenant_id="84DF9E7F-E9F6-40AF-B435-AAAAAAAAAAAA", recipient="a@b.example")

        assert ("consumer", "not_outbound", "not_outbound") == (host["observed_pool"], host["pool"], tenant["pool"])

    def test_several_tenants(self):
        tenants = [
            {
                "id": f"T-{number}",
                "accepted": [(f"t{number}.example", False)],
                "learned": number == 2,
                "own": [],
                "gateways": [],
            }
            for number in range(3)
        ]
        kernel = Kernel(spec(tenants=tenants))
        rows = [{"tenant_id": tenant, "mail_from": "a@t1.example"} for tenant in ("t-0", "T-1", "t-2", "t-9", None)]
        batch = pa.RecordBatch.from_pylist(rows)

        for column in (batch["mail_from"], batch["mail_from"].dictionary_encode()):
            encoded = pa.RecordBatch.from_arrays([batch["tenant_id"], column], names=["tenant_id", "mail_from"])
            assert ["no", "yes", "unknown", "unknown", "unknown"] == [
                fact(row["evidence"], 5) for row in classify(kernel, encoded).to_pylist()
            ]

    def test_rows_without_time_under_a_dated_profile_are_counted(self, kernel):
        memo = DomainMemo(kernel)
        classify(kernel, BATCH, memo)

        assert 1 == memo.timeless_rows

    def test_pool_names_that_no_table_knows_are_counted(self, kernel):
        memo = DomainMemo(kernel)
        classify(
            kernel,
            pa.RecordBatch.from_pylist(
                [{"outbound_ip_pool_name": name} for name in ("NewPool", "NewPool", "highrisk", None)]
            ),
            memo,
        )

        assert {"NewPool": 2} == memo.unseen_pool_names()


class TestPlainAddresses:
    """The kernel reads plain addresses by bit masks; the whole grammar is their twin."""

    def addresses(self, seed):
        random = Random(seed)
        pieces = [
            "a",
            "Z",
            "9",
            ".",
            ".",
            "-",
            "--",
            "_",
            "@",
            "@",
            "=",
            "+",
            "xn--a",
            "é",
            " ",
            "<",
            ">",
            '"',
            "host",
            "example.com",
            "Q" * 15,
            "[192.0.2.1]",
            "!",
            "\x7f",
        ]
        for size in range(20_000):
            yield "".join(random.choices(pieces, k=size % 9 + 1))
            yield (
                "user"
                + "".join(random.choices(pieces, k=2))
                + "@mail"
                + "".join(random.choices(pieces, k=2))
                + "example"
            )
        for size in range(50, 70):
            yield from (
                "a@" + "d" * size,
                "l" * size + "@b.example",
                "a@" + "d" * (size - 8) + ".example",
                "a" * (size - 6) + "@b.c-d",
                "ab@" + "e." * (size // 2) + "f",
            )

    def test_the_sender_domain_is_that_of_the_grammar(self, kernel):
        texts = list(self.addresses(1))
        expected = []
        for text in texts:
            kind, _, domain = split_mailbox(text.encode())
            name = domain.decode()
            expected.append(
                {"domain": name.lower(), "literal": name.lower(), "domain_needs_idna": canonical_domain(name)}.get(kind)
            )

        assert (
            expected
            == classify(kernel, pa.RecordBatch.from_arrays([pa.array(texts)], names=["mail_from"]))[
                "sender_domain"
            ].to_pylist()
        )

    def test_a_domain_that_signed_is_compared_as_the_grammar_says(self, kernel):
        names = [text.partition("@")[2] for text in self.addresses(2)]
        batch = pa.RecordBatch.from_pylist(
            [{"header_from": "a@brand.invalid", "dkim": "pass", "dkim_domain": f"{name},"} for name in names]
        )
        lists = pa.RecordBatch.from_pylist(
            [{"header_from": "a@brand.invalid", "dkim": "pass", "dkim_domain": name} for name in names]
        )

        assert classify(kernel, batch)["evidence"].equals(classify(kernel, lists)["evidence"])


class TestMemo:
    def test_verdicts_do_not_depend_on_what_the_memo_has_seen(self, kernel):
        memo = DomainMemo(kernel)
        backwards = BATCH.take(pa.array(range(len(BATCH) - 1, -1, -1)))
        classify(kernel, backwards, memo)

        assert classify(kernel, BATCH).equals(classify(kernel, BATCH, memo))

    def test_each_name_is_asked_once(self, kernel):
        memo = DomainMemo(kernel)
        classify(kernel, BATCH, memo)

        assert [] == kernel.names(*BATCH.__arrow_c_array__(), memo)

    def test_an_alias_and_its_canonical_form_are_one_name(self, kernel):
        rows = [
            {"mail_from": f"a@{domain}", "header_from": "b@xn--bcher-kva.example"}
            for domain in ("bücher.example", "xn--bcher-kva.example", "buecher.example")
        ]
        evidence = [row["evidence"] for row in classify(kernel, pa.RecordBatch.from_pylist(rows)).to_pylist()]

        assert [("yes", 0), ("yes", 0), ("unknown", 1)] == [(fact(word, 5), word >> 19 & 1) for word in evidence]

    def test_a_refused_name_is_unusable(self, kernel):
        row = one(kernel, mail_from="a@xn--a.example")

        assert (None, "unknown") == (row["sender_domain"], fact(row["evidence"], 5))

    def test_classify_before_the_answers_is_an_error(self, kernel):
        batch = pa.RecordBatch.from_pylist([{"mail_from": "a@bücher.example"}])
        with pytest.raises(ValueError, match="1 domain names are not answered yet"):
            kernel.classify(*batch.__arrow_c_array__(), DomainMemo(kernel))

    def test_answers_nobody_asked_for(self, kernel):
        with pytest.raises(ValueError, match="nobody asked"):
            DomainMemo(kernel).fill(77, "a.example", None)

    def test_a_memo_of_another_kernel(self, kernel):
        with pytest.raises(ValueError, match="another kernel"):
            kernel.names(*BATCH.__arrow_c_array__(), DomainMemo(Kernel(spec())))

    def test_threads_with_their_own_memos(self, kernel):
        expected = classify(kernel, BATCH)
        results = []
        threads = [
            threading.Thread(target=lambda: results.extend(classify(kernel, BATCH) for _ in range(20)))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert [True] * 80 == [expected.equals(result) for result in results]


class TestWrongTypes:
    @pytest.mark.parametrize(
        ("name", "column", "found"),
        [
            ("spf", pa.array([1]), "found int64, expected a string"),
            ("mail_from", pa.array([["a"]]), "found list, expected a string"),
            ("spam", pa.array(["true"]), "found string, expected bool"),
            ("sfp", pa.array([1.0]), "found float64, expected an integer"),
            ("time", pa.array(["2024-01-01"]), "found string, expected a timestamp or date"),
            ("time", pa.array([1]), "found int64, expected a timestamp or date"),
            ("client_ip", pa.array([b"12345"], pa.binary(5)), "expected a string, 4 or 16 bytes"),
            ("helo", pa.array([1]), "found int64, expected a string"),
            ("recipient_count", pa.array(["1"]), "found string, expected an integer"),
            ("spf", pa.array([1]).dictionary_encode(), "found dictionary of int64 with int32 indices"),
        ],
    )  # fmt: skip
    def test_column_found_and_expected_are_named(self, kernel, name, column, found):
        with pytest.raises(TypeError, match=f"column '{name}': .*{found}"):
            classify(kernel, pa.RecordBatch.from_arrays([column], names=[name]))

    def test_a_column_that_stands_twice(self, kernel):
        batch = pa.RecordBatch.from_arrays([pa.array(["pass"]), pa.array(["fail"])], names=["spf", "spf"])
        with pytest.raises(ValueError, match="column 'spf': the batch has two columns"):
            classify(kernel, batch)


def lazily(make):
    return lambda *arguments, **options: functools.partial(make, *arguments, **options)


def broken(sound, buffer, content):
    """An array that is sound until ``content`` is written into its buffer: pyarrow looks before, the kernel after."""

    def spoil():
        buffer[:] = content

    return sound, spoil


@lazily
def plain(offsets, kind=None, code="i"):
    buffer = bytearray(struct.calcsize(f"{len(offsets)}{code}"))
    array = pa.Array.from_buffers(
        kind or pa.string(), len(offsets) - 1, [None, pa.py_buffer(buffer), pa.py_buffer(b"x" * 32)]
    )
    return broken(array, buffer, struct.pack(f"{len(offsets)}{code}", *offsets))


@lazily
def view(size, prefix, number, offset):
    buffer = bytearray(32)
    array = pa.Array.from_buffers(
        pa.string_view(), 2, [None, pa.py_buffer(buffer), pa.py_buffer(b"abcdefghijklmnopqrst")]
    )
    return broken(array, buffer, bytes(16) + struct.pack("<i4sii", size, prefix, number, offset))


@lazily
def indices(*values, kind="b"):
    buffer = bytearray(struct.calcsize(f"{len(values)}{kind}"))
    index_type = {"b": pa.int8(), "B": pa.uint8(), "q": pa.int64(), "Q": pa.uint64()}[kind]
    array = pa.DictionaryArray.from_buffers(
        pa.dictionary(index_type, pa.string()), len(values), [None, pa.py_buffer(buffer)], pa.array(["pass", "fail"])
    )
    return broken(array, buffer, struct.pack(f"{len(values)}{kind}", *values))


@lazily
def bad_runs(*ends):
    buffer = bytearray(struct.pack(f"{len(ends)}i", *range(1, len(ends) + 1)))
    run_ends = pa.Array.from_buffers(pa.int32(), len(ends), [None, pa.py_buffer(buffer)])
    array = pa.RunEndEncodedArray.from_arrays(run_ends, pa.array(["pass"] * len(ends)))
    return broken(array, buffer, struct.pack(f"{len(ends)}i", *ends))


class TestBrokenBuffers:
    @pytest.mark.parametrize(
        ("column", "row"),
        [
            (plain([-1, 2]), 0), (plain([0, 3, 2]), 1), (plain([0, 5, 4, 9]), 1), (plain([0, 9, 3], kind=pa.large_string(), code="q"), 1),
            (view(-1, b"", 0, 0), 1), (view(20, b"abcd", 1, 0), 1), (view(20, b"abcd", -1, 0), 1), (view(20, b"abcd", 0, 1), 1),
            (view(20, b"abcd", 0, -1), 1), (view(20, b"abce", 0, 0), 1), (view(2**31 - 1, b"abcd", 0, 0), 1),
            (indices(0, -1), 1), (indices(0, 1, 2), 2), (indices(0, 255, kind="B"), 1), (indices(0, -1, kind="q"), 1),
            (indices(2**63, kind="Q"), 0), (bad_runs(1, 1, 3), 1), (bad_runs(0, 2, 3), 0), (bad_runs(1, 2, 2), 2),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("name", ["mail_from", "spf", "client_ip", "connector"])
    def test_the_row_is_named(self, kernel, name, column, row):
        array, spoil = column()
        capsules = pa.RecordBatch.from_arrays([array], names=[name]).__arrow_c_array__()
        spoil()
        with pytest.raises(ValueError, match=f"column '{name}', row {row}: "):
            kernel.names(*capsules, DomainMemo(kernel))

    def test_what_null_slots_hold_does_not_matter(self, kernel):
        masked = pa.DictionaryArray.from_buffers(
            pa.dictionary(pa.int8(), pa.string()),
            2,
            [pa.py_buffer(b"\1"), pa.py_buffer(b"\1\x7f")],
            pa.array(["pass", "fail"]),
        )
        batch = pa.RecordBatch.from_arrays([masked], names=["spf"])

        assert ["no", "unknown"] == [fact(row["evidence"], 6) for row in classify(kernel, batch).to_pylist()]


class CArray(ctypes.Structure):
    """The Arrow C data interface's array, to break one by hand."""


CArray._fields_ = [
    *[(name, ctypes.c_int64) for name in ("length", "null_count", "offset", "n_buffers", "n_children")],
    ("buffers", ctypes.POINTER(ctypes.c_void_p)), ("children", ctypes.POINTER(ctypes.POINTER(CArray))), ("dictionary", ctypes.c_void_p),
    ("release", ctypes.c_void_p), ("private_data", ctypes.c_void_p),
]  # fmt: skip
pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
pointer_of.restype = ctypes.POINTER(CArray)
pointer_of.argtypes = [ctypes.py_object, ctypes.c_char_p]


class TestBrokenStructs:
    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("length", -1),
            ("length", 2),
            ("offset", -1),
            ("offset", 2**63 - 2),
            ("n_buffers", 2),
            ("n_buffers", 0),
            ("n_children", 1),
            ("buffers", None),
            ("release", None),
        ],
    )
    def test_a_broken_child_is_refused(self, kernel, field, value):
        schema, array = pa.RecordBatch.from_pylist([{"spf": "pass"}] * 3).__arrow_c_array__()
        child = pointer_of(array, b"arrow_array").contents.children[0].contents
        kept = getattr(child, field)
        setattr(child, field, value)
        try:
            with pytest.raises(ValueError, match="column 'spf'"):
                kernel.names(schema, array, DomainMemo(kernel))
        finally:
            setattr(child, field, kept)

    @pytest.mark.parametrize(
        ("field", "value"),
        [("length", -1), ("length", 2**40), ("n_buffers", 2), ("n_children", 2), ("offset", -5), ("release", None)],
    )
    def test_a_broken_batch_is_refused(self, kernel, field, value):
        schema, array = pa.RecordBatch.from_pylist([{"spf": "pass"}]).__arrow_c_array__()
        whole = pointer_of(array, b"arrow_array").contents
        kept = getattr(whole, field)
        setattr(whole, field, value)
        try:
            with pytest.raises(ValueError, match="record batch|released|moved"):
                kernel.names(schema, array, DomainMemo(kernel))
        finally:
            setattr(whole, field, kept)

    def test_a_row_that_is_null_as_a_whole(self, kernel):
        rows = pa.array([{"spf": "pass"}, None], pa.struct([("spf", pa.string())]))
        with pytest.raises(ValueError, match="row 1: the row is null as a whole"):
            kernel.names(*rows.__arrow_c_array__(), DomainMemo(kernel))

    def test_capsules_of_something_else(self, kernel):
        with pytest.raises(TypeError, match="capsule"):
            kernel.names(object(), object(), DomainMemo(kernel))

    def test_a_capsule_that_was_moved_away(self, kernel):
        schema, array = BATCH.__arrow_c_array__()
        pa.RecordBatch._import_from_c_capsule(schema, array)
        with pytest.raises(ValueError, match="moved"):
            kernel.names(schema, array, DomainMemo(kernel))

    def test_an_array_without_columns(self, kernel):
        with pytest.raises(TypeError, match="found string, expected struct"):
            kernel.names(*pa.array(["a"]).__arrow_c_array__(), DomainMemo(kernel))


class TestSpec:
    @pytest.mark.parametrize(
        ("changes", "text"),
        [
            ({"profiles": []}, "no profile"),
            ({"profiles": [("p", b"1234")]}, "expected 262144"),
            ({"profiles": [("p", bytes((9, 0, 0, 255)) * (1 << 16))] * 2}, "does not exist"),
            ({"timeline": [(5, 0)]}, "does not begin"),
            ({"timeline": [(-(1 << 63), 7)]}, "out of range"),
            ({"compare": [9]}, "out of range"),
            ({"fixes": b""}, "table of fixes"),
            ({"prefixes": [(b"123", 8, None, None, 0)]}, "expected 4 or 16"),
            ({"prefixes": [(bytes(4), 8, None, None, 9)]}, "no observed pool"),
            (
                {"tenants": [{"id": "A", "accepted": [], "learned": False, "own": [], "gateways": []}] * 2},
                "stands twice",
            ),
        ],
    )
    def test_a_spec_that_contradicts_itself_is_refused(self, changes, text):
        with pytest.raises(ValueError, match=text):
            Kernel(spec(**changes))
