"""Builds trace files in memory and reads them: rows as dictionaries in, records as dictionaries out."""

import csv
import io

from poolsift.readers.base import ReadOptions
from poolsift.readers.rejects import FileReport
from poolsift.readers.source import Source

EXTENDED = (
    "date_time_utc client_ip client_hostname server_ip server_hostname source_context connector_id source event_id "
    "internal_message_id message_id network_message_id recipient_address recipient_status total_bytes recipient_count "
    "related_recipient_address reference message_subject sender_address return_path message_info directionality "
    "tenant_id original_client_ip original_server_ip custom_data"
).split()
SUMMARY = (
    "origin_timestamp_utc sender_address recipient_status message_subject total_bytes message_id network_message_id "
    "original_client_ip directionality connector_id delivery_priority"
).split()


def csv_bytes(rows, columns, newline="\r\n"):
    """All cells quoted, as Exchange Online writes them."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator=newline)
    writer.writerow(columns)
    writer.writerows([row.get(name, "") for name in columns] for row in rows)
    return text.getvalue().encode()


def read_all(reader_format, data, **options):
    """The records, without what is not recorded, and the report; rows in = records + rejects."""
    report = FileReport("test")
    batches = list(reader_format.read(Source(data, name="test"), report, ReadOptions(**options)))
    records = [
        {name: value for name, value in record.items() if value is not None}
        for batch in batches
        for record in batch.to_pylist()
    ]

    assert report.rows == len(records) + report.rejects
    return records, report
