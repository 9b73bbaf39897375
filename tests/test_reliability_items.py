"""The catalogue of bad inputs, groups C (containers) and E (CSV and NDJSON), through whole runs over files.

Outcomes. R: the row is rejected in its place, the others stay, exit 3. F: the file is left out, the others go on,
exit 5. X: refused, naming what is wrong. L: a limit that is named, exit 9 (a row beyond a cap is rejected: R).
OK: read. A row stands either in the output or among the rejects: each run checks that.

=====  ==============================================  ==========================================================
item   input                                           test
=====  ==============================================  ==========================================================
A, B   addresses and networks                          test_addresses_and_prefixes.py, test_unusable_values_keep_the_row
C1     gzip cut                                        TestGzip.test_damage_leaves_the_file_out[C1-*]
C2     gzip cut between members                        TestGzip.test_members_and_rows_are_in_the_manifest
C3     many, empty and named members                   TestGzip.test_read[C3-*]
C4     padding, garbage                                TestGzip.test_read[C4-*], test_damage_leaves_the_file_out[C4-*]
C5     flipped checksum, length, payload               TestGzip.test_damage_leaves_the_file_out[C5-*]
C6     member of more than 4 GiB (nightly)             TestGzip.test_a_member_of_more_than_4_gib
C7     bombs, nested                                   TestLimits.test_bombs, test_nested
C8     zstd: window, dictionary, frames, damage        TestZstd
C9     wrong extension                                 test_the_content_decides_not_the_name
C10    empty inputs                                    test_inputs_without_rows, test_an_empty_gz_was_cut
C11    archives                                        test_archives_are_refused
C12    Parquet: broken footers                         TestParquet.test_broken[C12-*], test_flipped_footers
C13    Parquet: small file, large content              TestParquet.test_a_small_file_of_many_rows, test_a_large_cell
C14    Parquet: counts, checksums, types               TestParquet.test_page_checksums, test_wrong_type
C15    Parquet: extension types, pandas metadata       TestParquet.test_extension_types_are_read_as_storage
C16    Parquet: many columns, row groups               TestParquet.test_columns_and_row_groups
C17    files that change, that are none                TestFiles
C18    no file, the same file twice                    TestFiles.test_nothing_and_duplicates
E1-E3  byte order mark, UTF-16, line ends              TestCsv.test_read
E4     quote that is not closed                        TestCsv.test_one_bad_row[E4-*]
E5-E6  quotes inside, number of cells, blank lines     TestCsv.test_one_bad_row, test_blank_lines
E7     no final newline                                TestCsv.test_no_final_newline
E8     control characters, bad UTF-8                   TestCsv.test_one_bad_row[E8-*]
E9     headers: double, missing, renamed, repeated     TestCsv.test_headers_are_refused, test_repeated_headers
E10    other delimiters                                TestCsv.test_headers_are_refused[E10-*]
E11    texts that look like something else             TestCsv.test_texts_stay_texts
E12    large cells, endless lines                      TestCsv.test_large_cells
E13    a million columns                               TestCsv.test_too_many_columns
E14    times                                           TestCsv.test_times
E15-19 NDJSON lines that are no record                 TestNdjson.test_one_bad_line
E18    JSON array                                      TestNdjson.test_an_array_is_refused
E20    torn last line                                  TestNdjson.test_a_torn_last_line
E21    types that change from row to row               TestNdjson.test_one_bad_line[E21-*]
E22    block boundaries                                test_block_boundaries, test_formats_against_reference.py
all    exit codes of the command                       test_exit_codes_of_the_command
G      Arrow in process                                test_kernel_arrow.py
=====  ==============================================  ==========================================================

Where the catalogue says X for one file among others (E9, E10, C14) that file is left out and named, exit 5: the
files beside it are not to blame. UTF-16 (E2) is read, an empty cell is null (A10), and odd addresses and IPs keep
their rows and are counted by field (A, B): the contract wins over the catalogue there.
"""

import base64
import gzip
import io
import json
import os
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from poolsift.engines.local import classify_files
from poolsift.errors import InputError, LimitError, PoolsiftError, UsageError
from poolsift.readers.base import ReadOptions
from poolsift.readers.canonical_arrow import PARQUET
from poolsift.readers.detect import detect
from poolsift.readers.rejects import FileReport
from poolsift.readers.source import Source, SourceLimits

HEADER = b"message_id,mail_from,recipient,spf\n"
ROW = b"<1@contoso.com>,ann@contoso.com,bob@partner.example,pass\n"
CSV = HEADER + ROW * 3
RECORD = {"message_id": "<1@contoso.com>", "mail_from": "ann@contoso.com", "recipient": "bob@partner.example"}
LINE = json.dumps(RECORD).encode() + b"\n"
BIG = HEADER + b"".join(
    b"<%d@contoso.com>,ann%d@contoso.com,bob@partner.example,pass\n" % (n, n * n) for n in range(9000)
)


class Outcome(NamedTuple):
    """How a run over one file, with a sound file beside it, ended."""

    exit_code: int
    records: int  #: of the file in question
    rejects: list[dict[str, Any]]
    entry: dict[str, Any]  #: the file's part of the manifest

    @property
    def codes(self) -> list[str]:
        return [reject["code"] for reject in self.rejects]

    @property
    def error(self) -> str | None:
        return self.entry["error"] and self.entry["error"]["code"]


def run(folder: Path, data: bytes, name: str = "input.csv", **options: Any) -> Outcome:
    """Classifies the file together with a sound one, whose two rows must come out whatever the other holds."""
    path = folder / name
    if data is not None:
        path.write_bytes(data)
    sound = folder / "a-sound.ndjson"
    sound.write_bytes(LINE * 2)
    out = folder / "out"
    result = classify_files([path, sound], out, fold="off", **options)
    records = pa.concat_tables([pq.read_table(part) for part in sorted(out.glob("part-*.parquet"))])
    found = records["input"].to_pylist()
    assert found.count(str(sound)) == 2

    account = result.manifest["accounting"]
    assert account["rows_in"] == account["records"] + account["folded"] + account["rejects"]
    rejects = out / "rejects.ndjson"
    lines = rejects.read_bytes().splitlines() if rejects.exists() else []
    entry = next(entry for entry in result.manifest["inputs"] if entry["name"] != str(sound))
    return Outcome(result.exit_code, len(found) - 2, [orjson.loads(line) for line in lines], entry)


def refusal(folder: Path, data: bytes, name: str = "input.csv") -> PoolsiftError:
    """The error that ends the whole run; nothing is published."""
    with pytest.raises(PoolsiftError) as caught:
        run(folder, data, name)

    assert not list((folder / "out").glob("part-*"))
    return caught.value


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=1).compress(data)


def flipped(data: bytes, place: int) -> bytes:
    changed = bytearray(data)
    changed[place] ^= 0x55
    return bytes(changed)


def named_member(data: bytes, name: bytes) -> bytes:
    """A gzip member with a file name in its header."""
    plain = gzip.compress(data)
    return plain[:3] + b"\x08" + plain[4:10] + name + b"\0" + plain[10:]


PACKED, PACKED_BIG = gzip.compress(CSV), gzip.compress(BIG)


class TestGzip:
    @pytest.mark.parametrize(
        ("data", "records"),
        [
            pytest.param(b"".join(gzip.compress(part) for part in (HEADER, *[ROW] * 9_999)), 9_999, id="C3-many"),
            pytest.param(gzip.compress(b"") + PACKED + gzip.compress(b""), 3, id="C3-empty"),
            pytest.param(named_member(CSV, b"../../etc/passwd"), 3, id="C3-name"),
            pytest.param(PACKED + bytes(1000), 3, id="C4-zeros"),
        ],
    )
    def test_read(self, tmp_path, data, records):
        outcome = run(tmp_path, data, "input.csv.gz")

        assert (outcome.exit_code, outcome.records) == (0, records)

    @pytest.mark.parametrize(
        ("data", "code"),
        [
            pytest.param(PACKED_BIG[: len(PACKED_BIG) // 2], "truncated", id="C1-mid-stream"),
            pytest.param(PACKED[:-3], "truncated", id="C1-trailer"),
            pytest.param(PACKED + PACKED[:5], "truncated", id="C1-second-header"),
            pytest.param(PACKED + b"garbage", "garbage", id="C4-garbage"),
            pytest.param(flipped(PACKED, -6), "checksum", id="C5-crc"),
            pytest.param(flipped(PACKED, -2), "checksum", id="C5-length"),
            pytest.param(flipped(PACKED_BIG, len(PACKED_BIG) // 2), None, id="C5-payload"),
        ],
    )
    def test_damage_leaves_the_file_out(self, tmp_path, data, code):
        """F: the file gives nothing unless that is allowed; then what came before the damage is kept."""
        outcome = run(tmp_path, data, "input.csv.gz")

        assert (outcome.exit_code, outcome.records) == (5, 0)
        assert outcome.error in ({"damaged", "checksum", "truncated"} if code is None else {code})
        assert outcome.entry["left_out"]

        allowed = run(tmp_path, data, "input.csv.gz", allow_truncated=True)

        assert allowed.exit_code == (3 if allowed.rejects else 0)
        assert allowed.entry["rows"] == allowed.records + len(allowed.rejects)

    def test_members_and_rows_are_in_the_manifest(self, tmp_path):
        """C2: nobody can tell that a member is missing, but members, bytes and rows are written down."""
        whole = PACKED + gzip.compress(ROW)
        two = run(tmp_path, whole, "input.csv.gz").entry
        one = run(tmp_path, PACKED, "input.csv.gz").entry

        assert (two["members"], two["rows"], two["bytes"]) == (2, 4, len(whole))
        assert (one["members"], one["rows"], one["bytes"]) == (1, 3, len(PACKED))

    @pytest.mark.nightly
    def test_a_member_of_more_than_4_gib(self):
        """C6: the length in the trailer wraps around."""
        packer = zlib.compressobj(1, wbits=31)
        block, count = bytes(64 << 20), 65
        data = b"".join(packer.compress(block) for _ in range(count)) + packer.flush()
        source = Source(data, limits=SourceLimits(ratio=2000))

        assert sum(map(len, source.blocks(1 << 24))) == count * len(block)
        assert source.members == 1


class TestZstd:
    @pytest.mark.parametrize(
        ("data", "records"),
        [
            pytest.param(zstd(CSV) + zstd(ROW), 4, id="C8-frames"),
            pytest.param(struct.pack("<II", 0x184D2A50, 4) + b"skip" + zstd(CSV), 3, id="C8-skippable"),
        ],
    )
    def test_read(self, tmp_path, data, records):
        outcome = run(tmp_path, data, "input.csv.zst")

        assert (outcome.exit_code, outcome.records) == (0, records)

    @pytest.mark.parametrize(
        ("data", "code"),
        [
            pytest.param(zstd(BIG)[:-20], "truncated", id="C8-truncated"),
            pytest.param(zstd(CSV) + b"garbage!", "garbage", id="C8-garbage"),
            pytest.param(b"\x28\xb5\x2f\xfd\x01\x50\x07\x01\x00\x00", "dictionary", id="C8-dictionary"),
        ],
    )
    def test_damage_leaves_the_file_out(self, tmp_path, data, code):
        outcome = run(tmp_path, data, "input.csv.zst")

        assert (outcome.exit_code, outcome.records, outcome.error) == (5, 0, code)

    def test_window(self, tmp_path):
        """C8: a frame that asks for 2 GiB of memory meets a limit."""
        error = refusal(tmp_path, b"\x28\xb5\x2f\xfd\x00" + bytes([(31 - 10) << 3]) + bytes(100), "input.csv.zst")

        assert (type(error), error.exit_code) == (LimitError, 9)


class TestLimits:
    @pytest.mark.parametrize("pack", [gzip.compress, zstd], ids=["C7-gzip", "C7-zstd"])
    def test_bombs(self, tmp_path, pack):
        """A file that expands beyond the ratio ends the run, naming the option."""
        error = refusal(tmp_path, pack(HEADER + (b"a" * 99_999 + b"\n") * 700), "input.csv")

        assert (error.exit_code, error.option) == (9, "--max-ratio")

    @pytest.mark.parametrize("data", [gzip.compress(PACKED), zstd(PACKED)], ids=["C7-gz-gz", "C7-gz-zst"])
    def test_nested(self, tmp_path, data):
        assert refusal(tmp_path, data).exit_code == 9


@pytest.mark.parametrize(
    ("name", "data"),
    [
        pytest.param("input.csv.gz", zstd(CSV), id="C9-zst-named-gz"),
        pytest.param("input.csv.gz", CSV, id="C9-plain-named-gz"),
        pytest.param("input.json", CSV, id="C9-csv-named-json"),
    ],
)
def test_the_content_decides_not_the_name(tmp_path, name, data):
    """C9: a compression that the name denies is noted."""
    outcome = run(tmp_path, data, name)

    assert (outcome.exit_code, outcome.records) == (0, 3)
    assert bool(outcome.entry["notes"]) == name.endswith(".gz")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        pytest.param("input.csv", b"", id="C10-empty"),
        pytest.param("input.csv", HEADER, id="C10-header"),
        pytest.param("input.csv", b"\xef\xbb\xbf", id="C10-mark"),
        pytest.param("input.csv", b"\xff\xfe", id="C10-utf16-mark"),
        pytest.param("input.csv", b"\n\r\n\n", id="C10-newlines"),
        pytest.param("input.csv.gz", gzip.compress(b""), id="C10-empty-member"),
    ],
)
def test_inputs_without_rows(tmp_path, name, data):
    """C10: no rows and no error, and the manifest lists them."""
    outcome = run(tmp_path, data, name)

    assert (outcome.exit_code, outcome.records, outcome.entry["rows"]) == (0, 0, 0)


def test_an_empty_gz_was_cut(tmp_path):
    """C10."""
    assert run(tmp_path, b"", "input.csv.gz").error == "truncated"


def archive(kind: str) -> bytes:
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w") as packed:
            packed.writestr("../evil.csv", CSV)
    else:
        with tarfile.open(fileobj=buffer, mode=kind) as packed:
            packed.addfile(tarfile.TarInfo("../evil.csv"))
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["zip", "w", "w:gz"], ids=["C11-zip", "C11-tar", "C11-tar-gz"])
def test_archives_are_refused(tmp_path, kind):
    """X: there is no code that extracts, so no path leads out."""
    error = refusal(tmp_path, archive(kind))

    assert (type(error), error.exit_code) == (UsageError, 2)
    assert not (tmp_path.parent / "evil.csv").exists()


def parquet(table: pa.Table | None = None, **options: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table if table is not None else pa.Table.from_pylist([RECORD] * 3), buffer, **options)
    return buffer.getvalue()


SOUND_PARQUET = parquet()


class TestParquet:
    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(SOUND_PARQUET[:-8], id="C12-no-footer"),
            pytest.param(SOUND_PARQUET[:-8] + struct.pack("<I", 1 << 30) + b"PAR1", id="C12-footer-length"),
            pytest.param(SOUND_PARQUET[:-4] + b"PARX", id="C12-magic"),
            pytest.param(b"PARE" + SOUND_PARQUET[4:-4] + b"PARE", id="C12-encrypted"),
            pytest.param(
                b"PAR1" + b"\x19\xfc\xff\xff\xff\xff\x07" + struct.pack("<I", 7) + b"PAR1", id="C12-list-size"
            ),
            pytest.param(SOUND_PARQUET[: len(SOUND_PARQUET) // 2], id="C12-half"),
        ],
    )
    def test_broken(self, tmp_path, data):
        outcome = run(tmp_path, data, "input.parquet")

        assert (outcome.exit_code, outcome.records) == (5, 0)

    def test_flipped_footers(self, tmp_path):
        """C12: wherever a footer is damaged, there is an answer; the process lives."""
        size = struct.unpack("<I", SOUND_PARQUET[-8:-4])[0]
        for place in range(len(SOUND_PARQUET) - 8 - size, len(SOUND_PARQUET), max(1, size // 60)):
            source = Source(flipped(SOUND_PARQUET, place), name="input.parquet")
            try:
                rows = sum(batch.num_rows for batch in PARQUET.read(source, FileReport("x"), ReadOptions()))
            except (InputError, LimitError):
                continue

            assert rows <= 3

    def test_a_small_file_of_many_rows(self):
        """C13: it is read in batches of bounded size, whatever it expands to."""
        value = pa.DictionaryArray.from_arrays(pa.array([0] * 1_000_000, pa.int32()), pa.array(["m" * 100]))
        data = parquet(pa.table({"message_id": value}), compression="zstd")
        assert len(data) < 100_000
        sizes = [batch.nbytes for batch in PARQUET.read(Source(data), FileReport("x"), ReadOptions())]

        assert len(sizes) > 10
        assert max(sizes) < 32 << 20

    def test_a_large_cell(self, tmp_path):
        """C13: 50 MB in a file of a few kilobytes: the row is rejected, the others stay."""
        helos = ["a.example", "h" * 50_000_000, "b.example"]
        data = parquet(pa.table({"mail_from": ["ann@contoso.com"] * 3, "helo": helos}), compression="zstd")
        outcome = run(tmp_path, data, "input.parquet")

        assert len(data) < 100_000
        assert (outcome.exit_code, outcome.records, outcome.codes) == (3, 2, ["cell_limit"])

    def test_page_checksums(self, tmp_path):
        """C14: a flipped page is found where checksums were written."""
        data = parquet(write_page_checksum=True, compression="none", use_dictionary=False)
        outcome = run(tmp_path, data.replace(b"ann@contoso.com", b"eve@contoso.com"), "input.parquet")

        assert (outcome.exit_code, outcome.records, outcome.error) == (5, 0, "damaged")

    @pytest.mark.parametrize(
        ("name", "column", "found"),
        [
            pytest.param("mail_from", pa.array([1]), "int64", id="C14-int-sender"),
            pytest.param("mail_from", pa.array([["a"]]), "list", id="C14-list"),
            pytest.param("recipient", pa.array([{"a": 1}]), "struct", id="C14-struct"),
            pytest.param("sfp", pa.array(["1101"]).cast(pa.string()), "string", id="C14-text-number"),
        ],
    )
    def test_wrong_type(self, tmp_path, name, column, found):
        """The column and its type are named."""
        outcome = run(tmp_path, parquet(pa.table({"message_id": ["<1@x>"], name: column})), "input.parquet")

        assert (outcome.exit_code, outcome.records) == (5, 0)
        assert name in outcome.entry["error"]["message"]
        assert found in outcome.entry["error"]["message"]

    def test_extension_types_are_read_as_storage(self, tmp_path):
        """C15: metadata that asks for code to be run is not even looked at."""
        pickle = base64.b64encode(b"cos\nsystem\n(S'touch /tmp/never'\ntR.")
        field = pa.field("mail_from", pa.string(), metadata={
            "ARROW:extension:name": "arrow.py_extension_type", "ARROW:extension:metadata": pickle,
        })  # fmt: skip
        schema = pa.schema([field], metadata={"pandas": '{"index_columns": ["x"], "columns": []}'})
        outcome = run(tmp_path, parquet(pa.table([["ann@contoso.com"]], schema=schema)), "input.parquet")

        assert (outcome.exit_code, outcome.records) == (0, 1)

    @pytest.mark.parametrize(
        ("table", "options", "records"),
        [
            pytest.param(
                pa.table({"mail_from": ["a@x.example"]} | {f"c{n}": [n] for n in range(10_000)}),
                {},
                1,
                id="C16-columns",
            ),
            pytest.param(pa.Table.from_pylist([RECORD] * 2000), {"row_group_size": 1}, 2000, id="C16-row-groups"),
            pytest.param(pa.schema([("mail_from", pa.string())]).empty_table(), {}, 0, id="C16-none"),
        ],
    )
    def test_columns_and_row_groups(self, tmp_path, table, options, records):
        outcome = run(tmp_path, parquet(table, **options), "input.parquet")

        assert (outcome.exit_code, outcome.records) == (0, records)


class TestFiles:
    @pytest.mark.parametrize("change", ["grown", "replaced"], ids=["C17-grown", "C17-replaced"])
    def test_changed_while_read(self, tmp_path, change):
        path = tmp_path / "input.csv"
        path.write_bytes(CSV)
        source = Source(str(path))
        blocks = source.blocks(16)
        next(blocks)
        if change == "replaced":
            path.unlink()
        with path.open("ab") as file:
            file.write(ROW * 2)
        with pytest.raises(InputError) as caught:
            list(blocks)
            source.check_unchanged()

        assert caught.value.code == "changed"

    @pytest.mark.parametrize("kind", ["fifo", "loop", "device"], ids=["C17-fifo", "C17-link-loop", "C17-device"])
    def test_what_is_no_file(self, tmp_path, kind):
        """F, at once: a pipe would wait forever, a device never end."""
        path = tmp_path / "input.csv"
        if kind == "fifo":
            os.mkfifo(path)
        else:
            path.symlink_to(path if kind == "loop" else "/dev/zero")
        outcome = run(tmp_path, None)

        assert (outcome.exit_code, outcome.records) == (5, 0)

    def test_what_cannot_be_read(self, tmp_path):
        """C17: a file that opens but gives an I/O error, as this process's memory does at address 0."""
        (tmp_path / "input.csv").symlink_to("/proc/self/mem")
        outcome = run(tmp_path, None)

        assert (outcome.exit_code, outcome.records, outcome.error) == (5, 0, "read")

    @pytest.mark.parametrize("name", ["in\nput.csv", "in\udcffput.csv"], ids=["C17-newline", "C17-bytes"])
    def test_odd_names_are_quoted(self, tmp_path, name):
        """A name can neither begin a new line of a message nor break its encoding."""
        path = tmp_path / name
        path.write_bytes(b"\x1f\x8b\x08")
        with pytest.raises(InputError) as caught:
            classify_files(path, tmp_path / "out")

        assert "put.csv" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert str(caught.value).encode()

    def test_nothing_and_duplicates(self, tmp_path):
        """C18: X for a pattern without files and for a file that is named twice, by a link too."""
        (tmp_path / "input.csv").write_bytes(CSV)
        os.link(tmp_path / "input.csv", tmp_path / "other.csv")
        (tmp_path / "empty").mkdir()
        for inputs in ([tmp_path / "*.json"], [tmp_path / "empty"], [tmp_path / "input.csv"] * 2, [tmp_path]):
            with pytest.raises(UsageError) as caught:
                classify_files(inputs, tmp_path / "out")

            assert caught.value.exit_code == 2
        both = classify_files([tmp_path], tmp_path / "out", allow_duplicates=True, fold="off")

        assert both.manifest["accounting"]["records"] == 6


QUOTED = b'"<1@contoso.com>","ann@contoso.com","bob@partner.example","pass"\n'
TIMED = b"message_id,mail_from,time\n"


class TestCsv:
    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"\xef\xbb\xbf" + CSV, id="E1"),
            *(
                pytest.param(mark + CSV.decode().encode(name), id=f"E2-{name}-{'mark' if mark else 'bare'}")
                for name, mark in (
                    ("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff"), ("utf-16-le", b""), ("utf-16-be", b""),
                )
            ),
            pytest.param(CSV.replace(b"\n", b"\r\n"), id="E3-crlf"),
            pytest.param(HEADER + ROW + ROW.replace(b"\n", b"\r\n") + ROW, id="E3-mixed"),
            pytest.param(b"note," + HEADER + b"".join(b'"two\r\nlines\n",' + ROW for _ in range(3)), id="E3-in-quotes"),
            pytest.param(HEADER + QUOTED * 3, id="E3-quoted"),
        ],
    )  # fmt: skip
    def test_read(self, tmp_path, data):
        outcome = run(tmp_path, data)

        assert (outcome.exit_code, outcome.records) == (0, 3)

    def test_carriage_returns_alone(self, tmp_path):
        """E3: lines that end so are refused by name, never read as one line."""
        assert run(tmp_path, CSV.replace(b"\n", b"\r")).error in {"line_ends", "format", "header"}

    @pytest.mark.parametrize(
        ("row", "codes"),
        [
            pytest.param(b'"<1@contoso.com>,ann@contoso.com,b@x.example,pass\n', {"unterminated_quote"}, id="E4"),
            pytest.param(b'<1@"contoso".com>,ann@contoso.com,b@x.example,pass\n', {"quote"}, id="E5-mid-field"),
            pytest.param(b'"<1@x>"y,ann@contoso.com,b@x.example,pass\n', {"quote"}, id="E5-after"),
            pytest.param(b'"a\\"b",ann@contoso.com,b@x.example,pass\n', {"quote", "unterminated_quote"}, id="E5-backslash"),
            pytest.param(b"<1@contoso.com>,ann@contoso.com\n", {"too_few_fields"}, id="E6-few"),
            pytest.param(ROW.replace(b"pass", b"pass,more"), {"too_many_fields"}, id="E6-many"),
            pytest.param(ROW.replace(b"ann", b"a\0n"), {"control_character"}, id="E8-nul"),
            pytest.param(ROW.replace(b"ann", b"a\x1bn"), {"control_character"}, id="E8-escape"),
            pytest.param(b'"<1@x>","ann@x.example\nRCPT",b@x.example,pass\n', {"control_character"}, id="E8-newline"),
            pytest.param(ROW.replace(b"ann", b"a\xffn"), {"utf8"}, id="E8-utf8"),
            pytest.param(ROW.replace(b"bob@", b"a@x.example;bob@"), {"list"}, id="A5-list"),
        ],
    )  # fmt: skip
    def test_one_bad_row(self, tmp_path, row, codes):
        """R: its place is named, its bytes are kept, and all rows around it are read."""
        outcome = run(tmp_path, HEADER + ROW + row + ROW * 2_000)

        assert (outcome.exit_code, outcome.records, len(outcome.rejects)) == (3, 2_001, 1)
        reject = outcome.rejects[0]
        assert reject["code"] in codes
        assert (reject["row"], reject["line"], reject["byte_offset"]) == (2, 3, len(HEADER + ROW))
        assert base64.b64decode(reject["raw"]).startswith(row[:8])

    def test_blank_lines(self, tmp_path):
        """E6: skipped and counted."""
        outcome = run(tmp_path, HEADER + b"\n" + ROW + b"\r\n\n" + ROW)

        assert (outcome.exit_code, outcome.records, outcome.entry["skipped"]) == (0, 2, {"blank_lines": 3})

    def test_no_final_newline(self, tmp_path):
        """E7: nobody can tell whether it was cut, so it is said."""
        outcome = run(tmp_path, CSV[:-1])

        assert (outcome.exit_code, outcome.records) == (0, 3)
        assert any(note.startswith("no_final_newline") for note in outcome.entry["notes"])

    @pytest.mark.parametrize(
        ("header", "words"),
        [
            pytest.param(b"message_id,mail_from,mail_from,spf", ["mail_from"], id="E9-double"),
            pytest.param(b"date_time_utc,source,event_id,message_id", ["event_id"], id="E9-missing"),
            pytest.param(b"a,b,c,d", ["a"], id="E9-renamed"),
            pytest.param(b"Message_ID,Mail_From,Recipient,SPF", ["Mail_From"], id="E9-case"),
            pytest.param(b"Nachricht,Absender,Empf\xc3\xa4nger,SPF", ["Absender"], id="E9-localised"),
            pytest.param(b"message_id;mail_from;recipient;spf", ["separated", "mail_from"], id="E10-semicolon"),
            pytest.param(b"message_id\tmail_from\trecipient\tspf", ["separated", "mail_from"], id="E10-tab"),
        ],
    )
    def test_headers_are_refused(self, tmp_path, header, words):
        """X: the columns are named; nothing is guessed."""
        outcome = run(tmp_path, header + b"\n" + ROW)

        assert (outcome.exit_code, outcome.records) == (5, 0)
        assert all(word in outcome.entry["error"]["message"] for word in words)

    def test_repeated_headers(self, tmp_path):
        """E9: exports joined to one file."""
        outcome = run(tmp_path, CSV + CSV)

        assert (outcome.exit_code, outcome.records, outcome.entry["skipped"]) == (0, 6, {"header_repeats": 1})

    def test_texts_stay_texts(self, tmp_path):
        """E11: nothing that looks like null or a number is changed."""
        texts = ["NULL", "NA", "nan", "007", "1e5", "1.10", "true"]
        lines = "".join(f"ann@contoso.com,{text}\n" for text in texts)
        report = FileReport("x")
        source = Source(f"mail_from,connector\n{lines}".encode())
        batches = detect(source.head(), "x").read(source, report, ReadOptions())

        assert [row["connector"] for batch in batches for row in batch.to_pylist()] == texts

    @pytest.mark.parametrize(
        ("size", "codes"),
        [
            pytest.param(200_000, [], id="E12-200-kb"),
            pytest.param(2 << 20, ["cell_limit"], id="E12-2-mb"),
            pytest.param(17 << 20, ["row_limit"], id="E12-17-mb"),
        ],
    )
    def test_large_cells(self, tmp_path, size, codes):
        """Up to 1 MiB a cell and 16 MiB a row; beyond, the row is rejected and the next one read."""
        outcome = run(tmp_path, HEADER + b"<" + b"m" * size + ROW[1:] + ROW)

        assert (outcome.codes, outcome.records) == (codes, 2 - len(codes))

    def test_a_line_without_end(self, tmp_path):
        """E12."""
        outcome = run(tmp_path, HEADER + ROW + b"m" * (20 << 20))

        assert (outcome.records, len(outcome.rejects)) == (1, 1)

    def test_too_many_columns(self, tmp_path):
        """E13."""
        error = refusal(
            tmp_path, b",".join([b"message_id", b"mail_from", *(b"c%d" % n for n in range(1_000_000))]) + b"\n"
        )

        assert (type(error), error.exit_code) == (LimitError, 9)

    @pytest.mark.parametrize(
        ("text", "read"),
        [
            pytest.param(b"2024-05-02T08:00:00", True, id="E14-no-zone"),
            pytest.param(b"2024-03-31T02:30:00", True, id="E14-gap-of-local-time"),
            pytest.param(b"2024-05-02T08:00:00+02:00", True, id="E14-offset"),
            pytest.param(b"2024-05-02T24:30:00Z", False, id="E14-24"),
            pytest.param(b"1601-01-01T00:00:00Z", False, id="E14-1601"),
            pytest.param(b"9999-12-31T23:59:59Z", False, id="E14-9999"),
            pytest.param(b"2016-12-31T23:59:60Z", False, id="E14-leap-second"),
            pytest.param(b"1714636800000", False, id="E14-epoch"),
            pytest.param(b"02/05/2024 08:00", False, id="E14-european"),
            pytest.param(b"5/2/2024 8:00 AM", True, id="E14-portal"),
        ],
    )
    def test_times(self, tmp_path, text, read):
        """ISO 8601, UTC where no offset is written, or the portal's form, which AM and PM tell; nothing is guessed."""
        outcome = run(tmp_path, TIMED + b"<1@x>,ann@contoso.com," + text + b"\n")

        assert (outcome.exit_code, outcome.codes) == ((0, []) if read else (3, ["timestamp"]))


def field(name: str, value: str) -> bytes:
    """A line in which one field has the given JSON text as value."""
    return LINE[:-2] + f', "{name}": {value}'.encode() + b"}\n"


class TestNdjson:
    @pytest.mark.parametrize(
        ("line", "codes"),
        [
            *(
                pytest.param(text.encode() + b"\n", {"not_object"}, id=f"E15-{text}")
                for text in ("null", "1", '"x"', "[]")
            ),
            pytest.param(field("mail_from", '"eve@evil.example"'), {"duplicate_key"}, id="E16"),
            pytest.param(field("mail\\u005ffrom", '"eve@evil.example"'), {"duplicate_key"}, id="E16-escaped"),
            pytest.param(LINE[:-2] + b', "mail_from"  : "eve@evil.example"}\n', {"duplicate_key"}, id="E16-spaced"),
            pytest.param(field("sfp", "NaN"), {"json_syntax"}, id="E17-nan"),
            pytest.param(field("sfp", "1e400"), {"json_syntax", "number"}, id="E17-1e400"),
            pytest.param(field("sfp", "1" * 23), {"json_syntax", "number"}, id="E17-digits"),
            pytest.param(field("helo", '"\\ud800"'), {"json_syntax"}, id="E17-surrogate"),
            pytest.param(field("helo", '"a\\u0000b"'), {"control_character"}, id="E17-nul"),
            pytest.param(LINE[:-2] + b",}\n", {"json_syntax"}, id="E17-comma"),
            pytest.param(LINE[:-1] + b" // why\n", {"json_syntax"}, id="E17-comment"),
            pytest.param(LINE.replace(b'"', b"'"), {"json_syntax"}, id="E17-apostrophes"),
            pytest.param(LINE[:-1] + b" " + LINE, {"json_syntax"}, id="E18-two-on-a-line"),
            pytest.param(field("x", "[" * 1_100 + "]" * 1_100), {"json_depth"}, id="E19"),
            pytest.param(field("helo", "5"), {"type"}, id="E21-number-for-text"),
            pytest.param(field("spam", '"maybe"'), {"boolean"}, id="E21-text-for-boolean"),
            pytest.param(field("recipient_count", "true"), {"number", "type"}, id="E21-boolean-for-number"),
            pytest.param(field("helo", "[]"), {"type"}, id="E21-list-for-text"),
        ],
    )
    def test_one_bad_line(self, tmp_path, line, codes):
        """R: one reject in its place, and every line around it is read."""
        outcome = run(tmp_path, LINE + line + LINE * 2, "input.ndjson")

        assert (outcome.exit_code, outcome.records, len(outcome.rejects)) == (3, 3, 1)
        assert outcome.rejects[0]["code"] in codes
        assert (outcome.rejects[0]["row"], outcome.rejects[0]["byte_offset"]) == (2, len(LINE))

    def test_an_object_over_two_lines(self, tmp_path):
        """E18: both halves are rejected."""
        outcome = run(tmp_path, LINE + LINE.replace(b", ", b",\n", 1) + LINE, "input.ndjson")

        assert (outcome.exit_code, outcome.records, outcome.codes) == (3, 2, ["json_syntax"] * 2)

    def test_a_missing_or_null_field_is_not_recorded(self, tmp_path):
        """E21: they are no other type."""
        outcome = run(tmp_path, LINE + field("helo", "null") + LINE, "input.ndjson")

        assert (outcome.exit_code, outcome.records) == (0, 3)

    @pytest.mark.parametrize("indent", [None, 2])
    def test_an_array_is_refused(self, tmp_path, indent):
        """E18: the hint says what to do."""
        outcome = run(tmp_path, json.dumps([RECORD] * 3, indent=indent).encode(), "input.json")

        assert (outcome.exit_code, outcome.records) == (5, 0)
        assert "jq" in outcome.entry["error"]["message"]

    def test_a_torn_last_line(self, tmp_path):
        """E20: a reject, and exit 5 unless that is allowed."""
        torn = LINE * 2 + LINE[:20]
        outcome = run(tmp_path, torn, "input.ndjson")
        allowed = run(tmp_path, torn, "input.ndjson", allow_truncated=True)

        assert (outcome.exit_code, outcome.records, outcome.codes) == (5, 2, ["truncated"])
        assert (allowed.exit_code, allowed.records) == (3, 2)


@pytest.mark.parametrize(
    "data", [CSV[:-1] + b',"x\n' + CSV, LINE + b"null\n" + LINE[:-9]], ids=["E22-csv", "E22-ndjson"]
)
def test_block_boundaries(data):
    """Records, rejects and places are the same for blocks of any size."""
    results = []
    for size in (1, 7, 64, 4096, 1 << 20):
        source, report = Source(data), FileReport("x")
        batches = detect(source.head(), "x").read(source, report, ReadOptions(block_bytes=size))
        rows = [row for batch in batches for row in batch.to_pylist()]
        results.append((rows, report.kept, report.notes, report.rows))

    assert all(result == results[0] for result in results)


@pytest.mark.parametrize(
    ("name", "value", "field_name"),
    [
        pytest.param("mail_from", "a@evil.example@contoso.com", "mail_from", id="A4"),
        pytest.param("mail_from", "a@contoso.com(comment)", "mail_from", id="A13"),
        pytest.param("mail_from", "a@xn--a.example", None, id="A19"),
        pytest.param("mail_from", "a@", "mail_from", id="A22"),
        pytest.param("client_ip", "040.95.1.1", "client_ip", id="B4"),
        pytest.param("client_ip", "[40.95.1.1]:25", "client_ip", id="B5"),
        pytest.param("client_ip", "４0.95.1.1", "client_ip", id="B6"),
        pytest.param("client_ip", "fe80::1%eth0", "client_ip", id="B7"),
        pytest.param("client_ip", "", None, id="B8"),
    ],
)
def test_unusable_values_keep_the_row(tmp_path, name, value, field_name):
    """Facts on them are unknown; the row stays and is counted by field."""
    outcome = run(tmp_path, json.dumps(RECORD | {name: value}).encode() + b"\n", "input.ndjson")

    assert (outcome.exit_code, outcome.records, outcome.rejects) == (0, 1, [])
    assert field_name is None or outcome.entry["field_errors"] == {field_name: 1}


@pytest.mark.parametrize(
    "text", [b"a\0@contoso.com", b"a\r\nb@contoso.com", b"a\xff@contoso.com"], ids=["A20", "A21", "A28"]
)
def test_addresses_that_reject_the_row(tmp_path, text):
    """Control characters and bytes that are no text: the row is rejected, never cut short."""
    outcome = run(tmp_path, HEADER + ROW + ROW.replace(b"ann@contoso.com", b'"' + text + b'"'))

    assert (outcome.exit_code, outcome.records, len(outcome.rejects)) == (3, 1, 1)


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        pytest.param(CSV, 0, b"", id="sound"),
        pytest.param(b"PK\x03\x04" + bytes(60), 2, b"zip", id="C11"),
        pytest.param(CSV + b"x\n", 3, b"", id="E6"),
        pytest.param(PACKED[:-3], 5, b"truncated", id="C1"),
        pytest.param(CSV.replace(b",", b";"), 5, b"separated", id="E10"),
        pytest.param(gzip.compress(PACKED), 9, b"compressed twice", id="C7"),
    ],
)
def test_exit_codes_of_the_command(tmp_path, data, code, words):
    """What the shell sees of each outcome; the file is named."""
    path = tmp_path / "input.csv"
    path.write_bytes(data)
    command = [sys.executable, "-m", "poolsift", "classify", str(path), "-o", str(tmp_path / "out"), "-q"]
    ended = subprocess.run(command, capture_output=True, check=False)

    assert ended.returncode == code
    assert words in ended.stderr
    assert (b"input.csv" in ended.stderr) == (code not in {0, 3})
