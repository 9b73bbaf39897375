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
  TextColumn helo;           ///< read only for the arrival
  AddressColumn source_ip;   ///< likewise
  AddressColumn client_ip, outbound_ip;
  IntColumn sfp;
  BoolColumn accepted, spam, forwarded, submitted, joined, sender_from_trace;
};

/// Rows of one batch at most: 253 bytes of sender domain each then fit the 31-bit offsets of an Arrow string.
inline constexpr std::int64_t most_rows = 1 << 23;

/// Throws TypeMismatch or std::invalid_argument; see columns.hpp. Columns that only tell how the message arrived are opened with `arrival`;
/// otherwise just their types are checked.
RecordBatch open_batch(const ArrowSchema& schema, const ArrowArray& array, bool arrival);

}  // namespace poolsift
