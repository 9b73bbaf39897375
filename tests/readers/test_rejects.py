"""The account of one file."""

from poolsift.readers.rejects import KEPT_REJECTS, RAW_BYTES, FileReport, RejectCode


def test_counts_and_keeps():
    """Every reject counts; raw bytes are capped, and without a sink so is what is kept."""
    report = FileReport("x.csv")
    for row in range(KEPT_REJECTS + 5):
        report.reject(row=row, line=row, byte_offset=0, code=RejectCode.QUOTE, message="m", raw=b"x" * (RAW_BYTES + 1))

    assert (KEPT_REJECTS + 5, KEPT_REJECTS) == (report.rejects, len(report.kept))
    assert {"quote": KEPT_REJECTS + 5} == report.reject_codes
    assert RAW_BYTES == len(report.kept[0].raw)
    assert ("x.csv", "quote") == (report.kept[0].input, report.kept[0].code)


def test_sink():
    """A sink gets each reject; nothing stays behind."""
    taken = []
    report = FileReport("x.csv", taken.append)
    report.reject(row=1, code=RejectCode.TYPE, message="m", field="time")

    assert ([("time", "type")], []) == ([(r.field, r.code) for r in taken], report.kept)


def test_notes_once():
    report = FileReport("x.csv")
    report.note("a")
    report.note("a")
    report.field_error("spf", 3)

    assert (["a"], {"spf": 3}) == (report.notes, report.field_errors)
