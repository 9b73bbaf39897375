// One batch of records as columns found by name; the producer keeps the memory alive as long as this is used.
#pragma once

#include <cstdint>

#include "poolsift/columns.hpp"

namespace poolsift {

/// Columns that the batch lacks are absent: not recorded in any row.
struct RecordBatch {
  std::int64_t rows = 0;
  TimeColumn time;
  TextColumn tenant_id, kind, direction, mail_from, header_from, recipient, outbound_host, outbound_ip_pool_name;
  TextColumn spf, dkim, dmarc, dkim_domain, status, status_code, status_text, connector;
  AddressColumn client_ip, source_ip, outbound_ip;
  IntColumn sfp;
  BoolColumn accepted, spam, forwarded, submitted, joined, sender_from_trace;
  // What an earlier run said of the record; open only where evidence is read again.
  IntColumn evidence;
  TextColumn observed_pool, observed_from, sender_from, spf_from;
};

/// Rows of one batch at most: 253 bytes of sender domain each then fit the 31-bit offsets of an Arrow string.
inline constexpr std::int64_t most_rows = 1 << 23;

/// With `from_evidence`, the batch holds verdicts of an earlier run, and columns that its evidence replaces are left out.
/// Throws TypeMismatch or std::invalid_argument; see columns.hpp.
RecordBatch open_batch(const ArrowSchema& schema, const ArrowArray& array, bool from_evidence = false);

}  // namespace poolsift
