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
  TextColumn helo;                      ///< read only for the arrival
  AddressColumn source_ip;              ///< likewise
  AddressColumn client_ip, outbound_ip;
  IntColumn sfp;
  BoolColumn accepted, spam, forwarded, submitted, joined, sender_from_trace;
  // What an earlier run said of the record; open only where evidence is read again.
  IntColumn evidence;
  TextColumn observed_pool, observed_from, sender_from, spf_from;
};

/// Rows of one batch at most: 253 bytes of sender domain each then fit the 31-bit offsets of an Arrow string.
inline constexpr std::int64_t most_rows = 1 << 23;

/// What a batch is read for.
struct BatchUse {
  bool arrival = false;        ///< columns that only tell how the message arrived are opened; otherwise just their types are checked
  bool from_evidence = false;  ///< it holds verdicts of an earlier run, and columns that its evidence replaces are left out
};

/// Throws TypeMismatch or std::invalid_argument; see columns.hpp.
RecordBatch open_batch(const ArrowSchema& schema, const ArrowArray& array, BatchUse use);

}  // namespace poolsift
