"""Opening inputs: compression, encoding, damage, limits, and which files an argument names."""

import gzip
import hashlib
import io
import os
import struct
import sys

import pyarrow as pa
import pytest

from poolsift.errors import InputError, LimitError, UsageError
from poolsift.readers.inputs import expand_inputs
from poolsift.readers.raw_files import quoted
from poolsift.readers.source import Source, SourceLimits

TEXT = b"mail_from,recipient\n" + b"".join(b"u%d@contoso.example,x@y.example\n" % i for i in range(20_000))


def zstd(data):
    return pa.Codec("zstd").compress(data, asbytes=True)


def read(data, **kwargs):
    """What was read before the end or the error, and the error's code."""
    source = Source(data, **kwargs)
    found = b""
    try:
        for block in source.blocks(4096):
            found += block
    except InputError as error:
        return found, error.code
    return found, None


class TestGzip:
    def test_members(self):
        """C3: many members, empty ones too, with names that are ignored."""
        out = io.BytesIO()
        with gzip.GzipFile("../../etc/passwd", "wb", fileobj=out) as member:
            member.write(TEXT)
        data = gzip.compress(b"") + out.getvalue() + gzip.compress(TEXT) * 3 + gzip.compress(b"")
        source = Source(data)

        assert TEXT * 4 == b"".join(source.blocks())
        source.close()
        assert (6, "gzip", len(data)) == (source.members, source.compression, source.compressed_bytes)
        assert hashlib.sha256(data).hexdigest() == source.sha256

    def test_many_members(self):
        assert (b"x" * 10_000, None) == read(gzip.compress(b"x") * 10_000)

    @pytest.mark.parametrize("cut", [-1, -4, -9, -200])
    def test_truncated(self, cut):
        """C1: what could be read comes first, then the error."""
        found, code = read(gzip.compress(TEXT) + gzip.compress(TEXT)[:cut])

        assert "truncated" == code
        assert TEXT == found[: len(TEXT)]

    @pytest.mark.parametrize("size", [1, 2, 5, 10])
    def test_truncated_header(self, size):
        assert (TEXT, "truncated") == read(gzip.compress(TEXT) + gzip.compress(TEXT)[:size])

    def test_zero_padding(self):
        """C4: zeros after the last member are noted."""
        source = Source(gzip.compress(TEXT) + bytes(1000))

        assert TEXT == b"".join(source.blocks())
        assert ["1000 zero bytes after the last gzip member"] == source.notes

    @pytest.mark.parametrize("rest", [b"garbage", bytes(600) + b"x"])
    def test_garbage(self, rest):
        assert (TEXT, "garbage") == read(gzip.compress(TEXT) + rest)

    @pytest.mark.parametrize("place", [-1, -6])
    def test_wrong_checksum(self, place):
        """C5: a flipped CRC or length is found, with its offset."""
        data = bytearray(gzip.compress(TEXT))
        data[place] ^= 1
        with pytest.raises(InputError, match="at byte") as caught:
            list(Source(bytes(data)).blocks())

        assert "checksum" == caught.value.code

    def test_flipped_payload(self):
        data = bytearray(gzip.compress(TEXT))
        data[len(data) // 2] ^= 0x55
        _found, code = read(bytes(data))

        assert code in {"damaged", "checksum", "truncated"}

    def test_empty_gz(self, tmp_path):
        """C10: an empty file named .gz was cut."""
        path = tmp_path / "x.csv.gz"
        path.write_bytes(b"")
        with pytest.raises(InputError, match="truncated"):
            Source(str(path)).head()


class TestZstd:
    def test_frames(self):
        """C8: several frames and skippable ones."""
        skippable = struct.pack("<II", 0x184D2A50, 5) + b"abcde"

        assert (TEXT * 2, None) == read(skippable + zstd(TEXT) + skippable + zstd(TEXT))

    @pytest.mark.parametrize("cut", [-1, -30])
    def test_truncated(self, cut):
        assert "truncated" == read(zstd(TEXT)[:cut])[1]

    def test_garbage(self):
        found, code = read(zstd(TEXT) + b"garbage!")

        assert "garbage" == code
        assert TEXT.startswith(found)
        assert len(TEXT) - len(found) <= 64 << 10

    def test_window(self):
        """A frame that wants a window of 2^31 bytes meets the limit, not the memory."""
        header = b"\x28\xb5\x2f\xfd" + bytes([0x00, (31 - 10) << 3])
        with pytest.raises(LimitError):
            list(Source(header + bytes(100)).blocks())

    def test_dictionary(self):
        """A frame that names a dictionary is refused as such."""
        header = b"\x28\xb5\x2f\xfd" + bytes([0x01, 0x50, 0x07]) + b"\x01\x00\x00"

        assert (b"", "dictionary") == read(header)


class TestLimits:
    def test_ratio(self):
        """C7: a bomb ends at the ratio, whatever it would hold."""
        limits = SourceLimits(ratio=100, ratio_from=1 << 20)
        for bomb in (gzip.compress(bytes(8 << 20)), zstd(bytes(8 << 20))):
            with pytest.raises(LimitError, match="--max-ratio"):
                list(Source(bomb, limits=limits).blocks())

    def test_total(self):
        with pytest.raises(LimitError, match="--max-plain-bytes"):
            list(Source(gzip.compress(TEXT), limits=SourceLimits(plain_bytes=1000)).blocks())

    @pytest.mark.parametrize("data", [gzip.compress(gzip.compress(TEXT)), zstd(gzip.compress(TEXT))])
    def test_nested(self, data):
        with pytest.raises(LimitError, match="compressed twice"):
            list(Source(data).blocks())

    @pytest.mark.parametrize("data", [b"PK\x03\x04" + bytes(30), bytes(257) + b"ustar" + bytes(250)])
    def test_archives(self, data):
        """C11, plain and compressed."""
        for stored in (data, gzip.compress(data)):
            with pytest.raises(UsageError, match="archive"):
                Source(stored).head()


class TestEncoding:
    TEXT = '"a","ä😀"\r\n' * 3000

    @pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
    @pytest.mark.parametrize("mark", ["", "\ufeff"])
    def test_utf16(self, encoding, mark):
        """E2: UTF-16 with or without mark is read as the same text in UTF-8."""
        source = Source(gzip.compress((mark + self.TEXT).encode(encoding)))

        assert self.TEXT.encode() == b"".join(source.blocks(1001))
        assert encoding == source.encoding

    def test_mark_dropped(self):
        assert (b"a,b\n", None) == read(b"\xef\xbb\xbfa,b\n")

    def test_short_and_plain(self):
        """A NUL in UTF-8 text makes no UTF-16 of it."""
        for data in (b"", b"a", b"a\0", b"a,b\n1,\x002\n"):
            assert (data, None) == read(data)

    def test_lone_surrogate(self):
        """Half a pair becomes bytes that are not UTF-8, so that its row is rejected."""
        data = "a,b\n".encode("utf-16-le") * 9 + b"\x3d\xd8" + "\n".encode("utf-16-le")
        found, code = read(data)

        assert code is None
        assert b"\xed\xa0\xbd" in found

    def test_half_a_character(self):
        assert "truncated" == read("a,b\n".encode("utf-16-le") * 9 + b"a")[1]


class TestFiles:
    def test_blocks_and_head(self, tmp_path):
        """Each call begins anew; head takes nothing away."""
        path = tmp_path / "x.csv"
        path.write_bytes(TEXT)
        with Source(str(path)) as source:
            assert TEXT[:100] == source.head(100)
            blocks = list(source.blocks(7))
            assert {7} == {len(block) for block in blocks[:-1]}
            assert TEXT == b"".join(blocks) == b"".join(source.blocks())
            assert hashlib.sha256(TEXT).hexdigest() == source.sha256

    def test_names_disagree(self, tmp_path):
        """C9: content decides; the name is noted."""
        path = tmp_path / "x.csv.gz"
        path.write_bytes(zstd(TEXT))
        with Source(str(path)) as source:
            assert TEXT == b"".join(source.blocks())
            assert ["named as gzip but holds zstd"] == source.notes

    @pytest.mark.parametrize("change", ["grow", "replace", "remove"])
    def test_changed(self, tmp_path, change):
        """C17: a file that is not what it was when opened."""
        path = tmp_path / "x.csv"
        path.write_bytes(TEXT)
        source = Source(str(path))
        source.head(10)
        if change == "grow":
            with path.open("ab") as file:
                file.write(b"more")
        else:
            path.unlink()
        if change == "replace":
            path.write_bytes(TEXT)
        with source, pytest.raises(InputError) as caught:
            list(source.blocks())

        assert "changed" == caught.value.code

    def test_special_files(self, tmp_path):
        """Directories, FIFOs and devices are refused at once."""
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        for path in (tmp_path, fifo, "/dev/zero"):
            with pytest.raises(InputError) as caught:
                Source(str(path)).head()
            assert "not_a_file" == caught.value.code

    def test_cannot_open(self, tmp_path):
        loop = tmp_path / "loop"
        loop.symlink_to(loop)
        for path in (loop, tmp_path / "none", "a\0b"):
            with pytest.raises(InputError) as caught:
                Source(str(path)).head()
            assert "open" == caught.value.code

    def test_standard_input(self, monkeypatch):
        """Sniffed like a file, read once."""
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(gzip.compress(TEXT)))))
        source = Source("-")

        assert TEXT[:5] == source.head(5)
        assert TEXT == b"".join(source.blocks())
        with pytest.raises(InputError, match="once"):
            source.blocks()

    def test_random_access(self, tmp_path):
        path = tmp_path / "x"
        path.write_bytes(TEXT)
        with Source(str(path)) as source:
            with source.random_access() as file:
                assert TEXT == file.read()
            assert hashlib.sha256(TEXT).hexdigest() == source.sha256
        with pytest.raises(InputError, match="decompress it first"):
            Source(gzip.compress(TEXT)).random_access()

    def test_quoted_names(self):
        assert ['"a\\x0ab"', '"\\xff"', "ä.csv"] == [quoted("a\nb"), quoted("\udcff"), quoted("ä.csv")]

    def test_as_file(self):
        file = Source(gzip.compress(TEXT)).file()

        assert TEXT == file.read(10) + file.read(1 << 29) + file.read(1)
        with pytest.raises(LimitError):
            file.read(1 << 31)


class TestExpand:
    @pytest.fixture
    def tree(self, tmp_path):
        for name in ("b.csv", "a.csv", "sub/c.csv", "_SUCCESS", ".hidden", "sub/.x/d.csv"):
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(name.encode())
        return tmp_path

    def names(self, sources, tree):
        return [source.path.removeprefix(f"{tree}/") for source in sources]

    def test_directory(self, tree):
        (tree / "sub" / "loop").symlink_to(tree)

        assert ["a.csv", "b.csv", "sub/c.csv"] == self.names(expand_inputs([str(tree)]), tree)

    def test_globs(self, tree):
        assert ["a.csv", "b.csv"] == self.names(expand_inputs([f"{tree}/*.csv"]), tree)
        assert ["a.csv", "b.csv", "sub/c.csv"] == self.names(expand_inputs([f"{tree}/**/*.csv"]), tree)

    def test_name_with_glob_characters(self, tree):
        (tree / "x[1].csv").write_bytes(b"")

        assert ["x[1].csv"] == self.names(expand_inputs([f"{tree}/x[1].csv"]), tree)

    def test_nothing(self, tree):
        (tree / "empty").mkdir()
        for arguments in ([], [f"{tree}/*.gz"], [f"{tree}/none"], [f"{tree}/empty"]):
            with pytest.raises(UsageError):
                expand_inputs(arguments)

    @pytest.mark.parametrize("link", ["symlink_to", "hardlink_to"])
    def test_duplicates(self, tree, link):
        """C18: the same file twice, also by a link."""
        getattr(tree / "z.csv", link)(tree / "a.csv")
        with pytest.raises(UsageError, match="same file"):
            expand_inputs([str(tree)])

        assert 4 == len(expand_inputs([str(tree)], allow_duplicates=True))

    def test_urls(self, tree):
        """Objects by URL, directory and glob, through pyarrow's file systems."""
        for url, count in (
            (f"file://{tree}/a.csv", 1),
            (f"file://{tree}", 3),
            (f"file://{tree}/*.csv", 2),
            (f"file://{tree}/**/c.csv", 1),
        ):
            sources = expand_inputs([url])
            assert count == len(sources)
            assert b".csv" in b"".join(sources[0].blocks())
            assert (
                hashlib.sha256(sources[0].head()).hexdigest()
                == hashlib.sha256(b"".join(sources[0].blocks())).hexdigest()
            )

    def test_bad_urls(self, tree):
        for url in ("s4://bucket/x", f"file://{tree}/none", f"file://{tree}/*.gz"):
            with pytest.raises(UsageError):
                expand_inputs([url])
