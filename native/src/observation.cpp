// Asking the five sources in their order; the first that speaks stands, and whoever differs is a conflict.
#include "poolsift/observation.hpp"

#include <algorithm>

#include "poolsift/reply_text.hpp"

namespace poolsift {

namespace {
/// SFP 1023: the relay pool's high-risk part (measured on public headers).
constexpr std::int64_t relay_high_risk_sfp = 1023;
}  // namespace

std::uint8_t PoolNameMemo::lookup(std::string_view name) {
  const auto found = seen_.find(name);
  if (found != seen_.end()) {
    ++found->second.count;
    return found->second.pool;
  }
  const std::uint8_t pool = names_.lookup(name);
  if (seen_.size() < most_names && name.size() <= longest_name) seen_.emplace(std::string(name), Seen{pool, 1});
  return pool;
}

std::vector<UnseenName> PoolNameMemo::unseen() const {
  std::vector<UnseenName> list;
  for (const auto& [name, seen] : seen_) {
    if (seen.pool == no_value) list.push_back({name, seen.count});
  }
  return list;
}

/// What the sources of one row have said so far.
struct Observer::Voices {
  bool relay_is_high_risk;
  std::uint8_t pool = no_value;
  std::uint8_t from = no_value;
  bool conflict = false;

  void hear(std::uint8_t said, std::uint8_t source) noexcept {
    if (said == no_value) return;
    if (said == observed_relay && relay_is_high_risk) said = observed_relay_high_risk;
    if (pool == no_value) {
      pool = said;
      from = source;
    }
    conflict |= said != pool;
  }
};

void Observer::observe(const RecordBatch& batch, Block& block) {
  const std::int64_t rows = block.end - block.first;
  std::fill_n(block.sent, rows, std::uint8_t{0});
  std::fill_n(block.observed, rows, no_value);
  std::fill_n(block.observed_from, rows, no_value);
  if (batch.outbound_ip_pool_name.absent() && batch.outbound_host.absent() && batch.outbound_ip.absent() && batch.status_text.absent() && batch.sfp.absent()) {
    return;
  }
  for (std::int64_t row = block.first; row < block.end; ++row) observe_row(batch, block, row);
}

void Observer::observe_row(const RecordBatch& batch, Block& block, std::int64_t row) {
  const std::int64_t at = row - block.first;
  const std::int64_t time = block.has_time[at] ? block.time[at] : no_time;
  std::int64_t sfp = 0;
  const bool has_sfp = batch.sfp.read(row, sfp);
  Voices voices{has_sfp && sfp == relay_high_risk_sfp};
  std::uint8_t sent = has_sfp ? sent_by_microsoft : 0;
  std::string_view text;
  if (batch.outbound_ip_pool_name.read(row, text) && !text.empty()) {
    sent |= sent_by_microsoft;
    voices.hear(pool_names_.lookup(text), from_pool_name);
  }
  if (batch.outbound_host.read(row, text) && !text.empty()) {
    const std::uint8_t pool = host_pool(text, time);
    sent |= pool == observed_consumer ? sent_by_microsoft | sent_by_consumer : sent_by_microsoft;
    voices.hear(pool, from_outbound_host);
  }
  Address address;
  if (batch.outbound_ip.read(row, address)) {
    sent |= sent_by_microsoft;
    voices.hear(address_pool(address, time), from_outbound_ip);
  }
  if (batch.status_text.read(row, text) && !text.empty()) voices.hear(reply_pool(text, time), from_reject_text);
  if (has_sfp) {
    const auto known = kernel_.spec().sfp.find(sfp);
    if (known != kernel_.spec().sfp.end()) voices.hear(known->second, from_sfp);
  }
  block.sent[at] = static_cast<std::uint8_t>(sent | (voices.conflict ? sent_conflict : 0));
  block.observed[at] = voices.pool;
  block.observed_from[at] = voices.from;
}

std::uint8_t Observer::host_pool(std::string_view host, std::int64_t time) const noexcept {
  const HostAnswer answer = kernel_.spec().hosts.lookup(host);
  return answer.embedded ? address_pool(answer.address, time) : answer.pool;
}

std::uint8_t Observer::address_pool(const Address& address, std::int64_t time) const noexcept {
  const std::uint32_t pool = kernel_.networks().lookup(address, time);
  return pool == PrefixTable::none ? no_value : static_cast<std::uint8_t>(pool);
}

/// Remote servers quote all sorts of addresses; only one of a pool that nobody else uses says something.
std::uint8_t Observer::reply_pool(std::string_view text, std::int64_t time) const noexcept {
  std::size_t cursor = 0;
  for (Address address; next_reply_address(text, cursor, address);) {
    const std::uint8_t pool = address_pool(address, time);
    if (pool == observed_high_risk || pool == observed_relay || pool == observed_relay_high_risk) return pool;
  }
  return no_value;
}

}  // namespace poolsift
