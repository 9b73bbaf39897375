// A text column of few distinct words, read as small numbers; encoded columns are looked up once per entry.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "poolsift/columns.hpp"
#include "poolsift/words.hpp"

namespace poolsift {

class WordReader {
 public:
  /// `number_of(text)` gives the number of a text that is recorded and not empty; null and empty are 0.
  template <typename NumberOf>
  void open(const TextColumn& column, std::int64_t rows, const NumberOf& number_of) {
    entries_.clear();
    if (column.entries() == 0 || column.entries() > rows) return;
    entries_.reserve(static_cast<std::size_t>(column.entries()));
    for (std::int64_t i = 0; i < column.entries(); ++i) {
      std::string_view text;
      entries_.push_back(column.read_entry(i, text) && !text.empty() ? number_of(text) : std::uint8_t{0});
    }
  }

  /// The numbers of the rows from `first` to before `end`.
  template <typename NumberOf>
  void read(const TextColumn& column, std::int64_t first, std::int64_t end, std::uint8_t* out, const NumberOf& number_of) const {
    if (column.absent()) {
      std::fill(out, out + (end - first), std::uint8_t{0});
    } else if (!entries_.empty()) {
      for (std::int64_t row = first; row < end; ++row) {
        const std::int64_t at = column.entry(row);
        *out++ = at < 0 ? std::uint8_t{0} : entries_[static_cast<std::size_t>(at)];
      }
    } else {
      for (std::int64_t row = first; row < end; ++row) {
        std::string_view text;
        *out++ = column.read(row, text) && !text.empty() ? number_of(text) : std::uint8_t{0};
      }
    }
  }

 private:
  std::vector<std::uint8_t> entries_;
};

/// Vocabularies of the word columns; a word is numbered from 1 in this order, and 0 means not recorded (docs/choices.md 2).
enum KindWord : std::uint8_t { kind_missing, kind_message, kind_ndr, kind_auto_reply, kind_delay, kind_receipt, kind_journal };
enum DirectionWord : std::uint8_t { direction_missing, direction_outbound, direction_inbound, direction_internal };
enum StatusWord : std::uint8_t { status_missing, status_delivered, status_failed, status_pending, status_expanded, status_quarantined, status_dropped, status_filtered };
enum SpfWord : std::uint8_t { spf_missing, spf_pass, spf_fail, spf_softfail, spf_neutral, spf_none, spf_permerror, spf_temperror };
enum DkimWord : std::uint8_t { dkim_word_missing, dkim_word_pass, dkim_word_none, dkim_word_fail, dkim_word_policy, dkim_word_neutral, dkim_word_permerror, dkim_word_temperror, dkim_word_timeout };

/// Gives WordReader the numbers of a vocabulary.
struct NumberOf {
  const WordTable& table;
  std::uint8_t operator()(std::string_view text) const noexcept { return table.lookup(text); }
};

struct Vocabularies {
  WordTable kind{"message", "ndr", "auto_reply", "delay", "receipt", "journal"};
  WordTable direction{"outbound", "inbound", "internal"};
  WordTable status{"delivered", "failed", "pending", "expanded", "quarantined", "dropped", "filtered"};
  WordTable spf{"pass", "fail", "softfail", "neutral", "none", "permerror", "temperror"};
  WordTable dkim{"pass", "none", "fail", "policy", "neutral", "permerror", "temperror", "timeout"};
  WordTable dmarc{"pass"};
  // Of verdict columns, in the order of verdict.hpp.
  WordTable observed_pool{"normal", "high_risk", "relay", "relay_high_risk", "consumer"};
  WordTable observed_from{"pool_name", "outbound_host", "outbound_ip", "reject_text", "sfp"};
  WordTable sender_from{"mail_from", "header_from", "trace"};
  WordTable spf_from{"log", "joined", "evaluated"};
};

/// The tables, built at first use.
const Vocabularies& vocabularies();

}  // namespace poolsift
