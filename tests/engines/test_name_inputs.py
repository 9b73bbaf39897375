"""Names for the DNS from files of any form: canonical, refused where they are none, every row accounted for."""

import gzip
import io
import sys

import orjson
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from poolsift.engines.name_inputs import NameInputs, SpfTuple
from poolsift.engines.survey_store import SCHEMA
from poolsift.errors import InputError, LimitError, RejectLimitError, UsageError
from tests.reference.addresses import canonical_domain

SURVEY = pa.RecordBatch.from_pylist(
    [
        {"kind": "domain", "name": "contoso.com", "records": 3},
        {"kind": "domain", "name": "fabrikam.com", "records": 1},
        {"kind": "spf", "name": "mail.example", "client_ip": "192.0.2.1", "records": 1},
    ],
    schema=SCHEMA,
)


def read(*paths, **options):
    """(names, rejects, the account)."""
    rejects = []
    inputs = NameInputs([str(path) for path in paths], sink=rejects.append, **options)
    names = [name for batch in inputs for name in batch]
    assert inputs.rows == inputs.names + inputs.tuples + inputs.other_rows + inputs.rejects
    assert (len(names), len(rejects)) == (inputs.names, inputs.rejects)
    return names, rejects, inputs


@pytest.fixture
def write(tmp_path):
    def written(content, name="names.txt"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return written


def tuples_of(path):
    """(tuples, names, (field, message) of rejects, the account)."""
    tuples = []
    names, rejects, account = read(path, tuple_sink=tuples.extend)
    return tuples, names, [(one.field, one.message) for one in rejects], account


def arrow_bytes(batch, open_writer):
    sink = io.BytesIO()
    with open_writer(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


def parquet_bytes(table):
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def survey_forms():
    csv = io.BytesIO()
    pa.csv.write_csv(SURVEY, csv)
    return {
        "parquet": parquet_bytes(pa.Table.from_batches([SURVEY])),
        "arrow file": arrow_bytes(SURVEY, pa.ipc.new_file),
        "arrow stream": arrow_bytes(SURVEY, pa.ipc.new_stream),
        "ndjson": b"".join(orjson.dumps(row) + b"\n" for row in SURVEY.to_pylist()),
        "csv": csv.getvalue(),
    }


@pytest.mark.parametrize("form", survey_forms())
def test_the_tuples_of_a_survey_are_given_to_whoever_takes_them(write, form):
    tuples, names, rejects, account = tuples_of(write(survey_forms()[form], "survey"))

    assert tuples == [SpfTuple("mail.example", "192.0.2.1", "")]
    assert (names, rejects) == (["contoso.com", "fabrikam.com"], [])
    assert (account.tuples, account.other_rows) == (1, 0)


def test_tuples_are_canonical_or_refused(write):
    """Names as names are, addresses as records hold them, a HELO as it was logged."""
    rows = [
        {"name": "Contoso.com.", "client_ip": "2001:DB8:0::1", "helo": "Mail.Contoso.com"},
        {"name": "contoso.com", "client_ip": "::ffff:192.0.2.1"},
        {"name": "contoso.com", "client_ip": "192.0.2.256"},
        {"name": "contoso.com"},
        {"name": "contoso.com", "client_ip": "192.0.2.1", "helo": 7},
        {"name": "a@contoso.com", "client_ip": "192.0.2.1"},
    ]
    path = write(b"".join(orjson.dumps({"kind": "spf", **row}) + b"\n" for row in rows), "tuples.ndjson")
    tuples, names, rejects, account = tuples_of(path)

    assert tuples == [
        SpfTuple("contoso.com", "2001:db8::1", "Mail.Contoso.com"), SpfTuple("contoso.com", "192.0.2.1", ""),
    ]  # fmt: skip
    assert rejects == [
        ("client_ip", "found '192.0.2.256', expected an IP address"),
        ("client_ip", "found nothing, expected an IP address"),
        ("helo", "found 7, expected a name or null"),
        ("name", "found an e-mail address, expected a domain name"),
    ]
    assert (names, account.tuples, account.rejects) == ([], 2, 4)


@pytest.mark.parametrize(
    "content", [b"kind,name,client\nspf,contoso.com,192.0.2.1\n", parquet_bytes(pa.table({"kind": ["spf"], "name": ["a.example"], "client": ["1"]}))]
)  # fmt: skip
def test_tuples_without_their_columns_are_an_error_that_names_the_nearest(write, content):
    with pytest.raises(InputError, match=r"no column client_ip among .*is it client\?"):
        tuples_of(write(content, "tuples.csv"))


@pytest.mark.parametrize("form", survey_forms())
def test_of_a_survey_the_sender_domains_are_read(write, form):
    names, _, account = read(write(survey_forms()[form], "survey"))

    assert names == ["contoso.com", "fabrikam.com"]
    assert (account.rows, account.other_rows, account.exit_code()) == (3, 1, 0)


@pytest.mark.parametrize("content", [
    "contoso.com\nfabrikam.com\n",
    "# mine\n\n  contoso.com  \r\nfabrikam.com # theirs\n\t\n#end",
    '"contoso.com"\n"fabrikam.com"\n',
    "name\ncontoso.com\nfabrikam.com\n",
    "Domain,Owner\ncontoso.com,ann\nfabrikam.com,\n",
    '"id","name"\n1,"contoso.com"\n2,fabrikam.com\n',
    '#TYPE Selected.Domain\n"Domain"\n"contoso.com"\n"fabrikam.com"\n',
    '{"name":"contoso.com"}\n\n{"domain":"fabrikam.com","x":1}\n',
    "\ufeffcontoso.com\nfabrikam.com",
    "contoso.com\nfabrikam.com\n".encode("utf-16"),
    gzip.compress(b"contoso.com\nfabrikam.com\n"),
    parquet_bytes(pa.table({"domain": pa.array(["contoso.com", "fabrikam.com"]).dictionary_encode(), "n": [1, 2]})),
    parquet_bytes(pa.table({"Name": pa.array(["contoso.com", "fabrikam.com"], pa.large_string())})),
])  # fmt: skip
def test_every_form_gives_its_names(write, content):
    names, rejects, _ = read(write(content))

    assert (names, rejects) == (["contoso.com", "fabrikam.com"], [])


def test_names_are_made_canonical(write):
    names, _, _ = read(write("CONTOSO.com.\nbücher.example\nXN--BCHER-KVA.example\n_dmarc.Example.COM\n"))

    assert names == ["contoso.com", "xn--bcher-kva.example", "xn--bcher-kva.example", "_dmarc.example.com"]


def test_names_that_must_not_be_asked_are_names_and_are_counted(write):
    names, rejects, account = read(write("printer\nhost.local\nlocalhost\ncontoso.com\n"))

    assert names == ["printer", "host.local", "localhost", "contoso.com"]
    assert (rejects, account.unaskable) == ([], {"single_label": 2, "special_use": 1})


@pytest.mark.parametrize(("line", "found"), [
    ("ann@contoso.com", "an e-mail address"),
    ("192.0.2.1", "'192.0.2.1'"),
    ("[192.0.2.1]", "'[192.0.2.1]'"),
    ("2001:db8::1", "'2001:db8::1'"),
    ("*.contoso.com", "'*.contoso.com'"),
    ("https://contoso.com/", "'https://contoso.com/'"),
    ("a..b.com", "'a..b.com'"),
    ("con toso.com", "'con toso.com'"),
    (".", "'.'"),
    ('""', "nothing"),
    ("a" * 400, "'" + "a" * 76 + "..."),
    ("contoso.com,fabrikam.com", "'contoso.com,fabrikam.com'"),
])  # fmt: skip
def test_a_line_that_is_no_name_is_rejected_and_the_others_go_on(write, line, found):
    path = write(f"a.example\n# x\n{line}\nb.example\n")
    names, (reject,), account = read(path)

    assert names == ["a.example", "b.example"]
    assert reject.message == f"found {found}, expected a domain name"
    assert (reject.input, reject.row, reject.line, reject.byte_offset) == (str(path), 2, 3, 14)
    assert (reject.code, reject.raw) == ("not_a_name", line.encode())
    assert (account.exit_code(), account.exit_code(allow_rejects=True)) == (3, 0)


@pytest.mark.parametrize(("line", "code"), [
    ('{"name":"contoso.com","domain":"contoso.com"}', "structure"),
    ('{"names":"contoso.com"}', "structure"),
    ('{"name":null}', "not_a_name"),
    ('{"name":["contoso.com"]}', "not_a_name"),
    ('{"name":7}', "not_a_name"),
    ('{"name":"contoso.com\\nfabrikam.com"}', "not_a_name"),
    ('{"name":"a","name":"b"}', "duplicate_key"),
    ("[]", "not_object"),
])  # fmt: skip
def test_an_object_without_one_name_is_rejected(write, line, code):
    names, (reject,), _ = read(write(f'{{"name":"a.example"}}\n{line}\n{{"name":"b.example"}}\n'))

    assert names == ["a.example", "b.example"]
    assert (reject.code, reject.row) == (code, 2)


def test_cells_of_a_table_that_are_no_names_are_rejected_with_their_row_and_column(write):
    values = pa.array([b"a.example", None, b"\xff", b"ann@contoso.com", b"b.example"], pa.binary())
    names, rejects, _ = read(write(parquet_bytes(pa.table({"domain": values}))))

    assert names == ["a.example", "b.example"]
    assert [(reject.row, reject.field) for reject in sorted(rejects)] == [(2, "domain"), (3, "domain"), (4, "domain")]
    assert {reject.row: reject.code for reject in rejects} == {2: "not_a_name", 3: "utf8", 4: "not_a_name"}


@pytest.mark.parametrize(("content", "words"), [
    ("id,fqdn\n1,contoso.com\n", "no column name or domain among 'id', 'fqdn'"),
    ("id,domains\n1,contoso.com\n", "is it domains?"),
    ("name,domain\nAnn,contoso.com\n", "which holds the names"),
    ("ann@contoso.com,1\n", "among (an address), '1'"),
    (parquet_bytes(pa.table({"x": ["contoso.com"]})), "no column name or domain"),
    (parquet_bytes(pa.table({"name": [1]})), "column 'name' is int64, expected a string"),
    (b"PAR1 and nothing else", "damaged"),
    (b"ARROW1 and nothing else", "damaged"),
    (gzip.compress(b"contoso.com\n")[:-6], "truncated"),
    (gzip.compress(parquet_bytes(pa.table({"name": ["a.example"]}))), "decompress it first"),
])  # fmt: skip
def test_a_file_that_cannot_be_read_is_named_and_the_others_go_on(write, content, words):
    """Alone, it is an error; beside others, a failure and exit code 5."""
    bad, good = write(content, "bad"), write("good.example\n", "good")
    with pytest.raises(InputError) as caught:
        read(bad)
    names, _, account = read(bad, good)

    assert caught.value.path == str(bad)
    assert words in str(caught.value)
    assert "good.example" in names
    assert ([str(failure) for failure in account.failures], account.exit_code()) == ([str(caught.value)], 5)
    assert read(bad, good, allow_truncated=True)[2].exit_code() == 0


def test_what_a_damaged_file_held_before_the_damage_is_asked(write):
    whole = gzip.compress(b"".join(b"n%d.example\n" % number for number in range(100_000)))
    names, _, account = read(write(whole[: len(whole) // 2]), write("z.example\n", "z"))

    assert names[:2] == ["n0.example", "n1.example"]
    assert names[-1] == "z.example"
    assert account.truncated


def test_too_many_rejected_rows_end_the_reading(write):
    path = write("a@b\na@b\na@b\n")
    with pytest.raises(RejectLimitError, match="2 rows rejected, 1 allowed"):
        read(path, max_rejects=1)

    assert read(path, max_rejects=3)[2].rejects == 3


def test_an_empty_file_is_no_error(write):
    names, rejects, account = read(write("# nothing\n\n"))

    assert (names, rejects, account.exit_code()) == ([], [], 0)
    assert account.reports[0].notes == ["the file names nothing"]


def test_a_file_named_twice_is_refused(write):
    path = write("a.example\n")
    with pytest.raises(UsageError, match="named twice"):
        read(path, path)

    assert read(path, path, allow_duplicates=True)[0] == ["a.example", "a.example"]


def test_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"contoso.com\nx y\n")))
    names, (reject,), _ = read("-")

    assert names == ["contoso.com"]
    assert (reject.input, reject.row) == ("-", 2)


NEAR_NAMES = st.sampled_from([
    b"contoso.com", b"CONTOSO.com.", b"b\xc3\xbccher.example", b"a@b.example", b"192.0.2.1", b"printer", b"x.local",
    b"name", b"domain", b"kind", b"spf", b'"', b",", b"#", b"\n", b"\r\n", b" ", b"\xff", b"\x00", b"{", b"}", b":",
    b'{"name":"a.example"}', b'{"domain":"b.example","kind":"spf"}', b"#TYPE x", b"PAR1", b"ARROW1", b";", b"\xef\xbb\xbf",
])  # fmt: skip


@settings(max_examples=400)
@given(st.binary(max_size=200) | st.lists(NEAR_NAMES, max_size=25).map(b"".join))
@example(b"null")
@example(b"#")
@example(b"name,")
@example(b'"\n')
@example(b"\x1f\x8b")
def test_any_bytes_are_names_rejects_or_an_error_of_ours(tmp_path_factory, data):
    """Nothing crashes, and no row is lost (``read`` adds them up). An archive is refused as it is everywhere."""
    path = tmp_path_factory.getbasetemp() / "fuzz"
    path.write_bytes(data)
    try:
        names, _, _ = read(path)
    except (InputError, LimitError, UsageError):
        return

    assert [canonical_domain(name) for name in names] == names


@settings(max_examples=200)
@given(
    st.lists(st.text(alphabet="aé.-_ K@[]:1\u212a", min_size=1, max_size=12) | st.sampled_from(["x" * 300]), min_size=1)
)
def test_each_line_is_canonical_as_the_reference_says(tmp_path_factory, lines):
    """Each by itself, whatever stands beside it: whole batches are looked at in one go."""
    path = tmp_path_factory.getbasetemp() / "lines"
    path.write_bytes(b"".join(orjson.dumps({"name": line}) + b"\n" for line in lines))
    names, rejects, _ = read(path)
    canonical = [canonical_domain(line) for line in lines]

    assert names == [name for name in canonical if name is not None and not is_address(name)]
    assert len(rejects) == len(lines) - len(names)


def is_address(name):
    parts = name.split(".")
    return len(parts) == 4 and all(
        part.isdecimal() and (part == "0" or part[0] != "0") and int(part) < 256 for part in parts
    )


@settings(max_examples=100)
@given(st.sampled_from(list(survey_forms())[:3]), st.data())
def test_damaged_tables_are_errors_of_ours(tmp_path_factory, form, data):
    """Bytes of Parquet and Arrow files replaced or cut."""
    content = bytearray(survey_forms()[form])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(4, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    path = tmp_path_factory.getbasetemp() / "table"
    path.write_bytes(content)
    try:
        read(path)
    except (InputError, LimitError) as error:
        assert error.path == str(path)
