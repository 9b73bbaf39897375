// Verdicts of an earlier run read again: a block's evidence and observation, with what of the record itself a verdict needs besides.
#include <limits>
#include <stdexcept>
#include <string>

#include "poolsift/classify.hpp"
#include "poolsift/evidence.hpp"

namespace poolsift {

namespace {

[[noreturn]] void refuse(std::int64_t row, const std::string& found) {
  throw std::invalid_argument("column 'evidence', row " + std::to_string(row) + ": found " + found + ", expected the evidence that an earlier run wrote");
}

std::uint32_t read_evidence(const IntColumn& column, std::int64_t row) {
  std::int64_t value = 0;
  if (!column.read(row, value)) refuse(row, "null");
  if (value < 0 || value > std::numeric_limits<std::uint32_t>::max()) refuse(row, std::to_string(value));
  const auto evidence = static_cast<std::uint32_t>(value);
  if ((evidence & evidence >> 1 & 0x5555) != 0) refuse(row, std::to_string(value));  // a fact is 0, 1 or 2
  return evidence;
}

void read_numbers(const WordReader& reader, const TextColumn& column, const WordTable& words, const Block& block, std::uint8_t* out) {
  reader.read(column, block.first, block.end, out, NumberOf{words});
  for (std::int64_t at = 0; at < block.end - block.first; ++at) --out[at];  // from 0, and none where there is no word
}

bool recorded(const TextColumn& column, std::int64_t row) noexcept {
  std::string_view text;
  return column.read(row, text) && !text.empty();
}

/// Whether the batch itself shows that Microsoft 365 sent the message on.
bool shown_as_sent(const RecordBatch& batch, std::int64_t row) noexcept {
  std::int64_t sfp = 0;
  Address address;
  return recorded(batch.outbound_ip_pool_name, row) || recorded(batch.outbound_host, row) || batch.outbound_ip.read(row, address) || batch.sfp.read(row, sfp);
}

}  // namespace

void Classifier::open_verdict_words() {
  const Vocabularies& words = vocabularies();
  directions_.open(batch_.direction, batch_.rows, NumberOf{words.direction});
  codes_.open(batch_.status_code, batch_.rows, NumberOfCode{kernel_.block_codes()});
  observed_pools_.open(batch_.observed_pool, batch_.rows, NumberOf{words.observed_pool});
  observed_froms_.open(batch_.observed_from, batch_.rows, NumberOf{words.observed_from});
  sender_froms_.open(batch_.sender_from, batch_.rows, NumberOf{words.sender_from});
  spf_froms_.open(batch_.spf_from, batch_.rows, NumberOf{words.spf_from});
}

void Classifier::decode_verdicts(Block& block) const {
  const Vocabularies& words = vocabularies();
  directions_.read(batch_.direction, block.first, block.end, block.direction, NumberOf{words.direction});
  codes_.read(batch_.status_code, block.first, block.end, block.code, NumberOfCode{kernel_.block_codes()});
  read_numbers(observed_pools_, batch_.observed_pool, words.observed_pool, block, block.observed);
  read_numbers(observed_froms_, batch_.observed_from, words.observed_from, block, block.observed_from);
  read_numbers(spf_froms_, batch_.spf_from, words.spf_from, block, block.spf_from);
  read_numbers(sender_froms_, batch_.sender_from, words.sender_from, block, block.trace);
  for (std::int64_t row = block.first; row < block.end; ++row) {
    const std::int64_t at = row - block.first;
    block.evidence[at] = read_evidence(batch_.evidence, row);
    block.trace[at] = block.trace[at] == sender_trace ? yes : unknown;
    block.forwarded[at] = batch_.forwarded.read(row);
    block.has_time[at] = batch_.time.read(row, block.time[at]);
  }
}

/// Whether Microsoft 365 is known to have sent the message on, by an address, host, pool name or SFP. Of verdicts that are read again
/// only a source that told a pool is certain to be seen: one that was recorded and told nothing left no trace in them.
bool Classifier::sent_on(const Block& block, std::int64_t at) const noexcept {
  if (!kernel_.spec().from_evidence) return (block.sent[at] & sent_by_microsoft) != 0;
  const std::uint8_t from = block.observed_from[at];
  return (from != no_value && from != from_reject_text) || shown_as_sent(batch_, block.first + at);
}

}  // namespace poolsift
