// The numbers of pools, observations, agreements and fixes (docs/internals.md), and how a prediction agrees with an observation.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace poolsift {

/// "None of them" wherever a byte holds one of the numbers below.
inline constexpr std::uint8_t no_value = 255;

enum Pool : std::uint8_t { pool_normal, pool_high_risk, pool_relay, pool_relay_high_risk, pool_blocked, pool_not_outbound, pool_undetermined };
inline constexpr std::array pool_words{"normal", "high_risk", "relay", "relay_high_risk", "blocked", "not_outbound", "undetermined"};

/// The first four are the pools of the same number.
enum ObservedPool : std::uint8_t { observed_normal, observed_high_risk, observed_relay, observed_relay_high_risk, observed_consumer };
inline constexpr std::array observed_words{"normal", "high_risk", "relay", "relay_high_risk", "consumer"};

/// Sources of an observation, first to last.
enum ObservedFrom : std::uint8_t { from_pool_name, from_outbound_host, from_outbound_ip, from_reject_text, from_sfp };
inline constexpr std::array observed_from_words{"pool_name", "outbound_host", "outbound_ip", "reject_text", "sfp"};

enum Agreement : std::uint8_t { agree_match, agree_compatible, agree_mismatch, agree_not_comparable, agree_unobserved };
inline constexpr std::array agreement_words{"match", "compatible", "mismatch", "not_comparable", "unobserved"};

enum SenderFrom : std::uint8_t { sender_mail_from, sender_header_from, sender_trace };
inline constexpr std::array sender_from_words{"mail_from", "header_from", "trace"};

enum SpfFrom : std::uint8_t { spf_log, spf_joined, spf_evaluated };
inline constexpr std::array spf_from_words{"log", "joined", "evaluated"};

inline constexpr std::array fix_words{
    "use_public_domain", "publish_a_or_mx", "use_accepted_sender", "unblock_sender", "reduce_volume", "use_own_domain",
    "allow_forwarding", "edit_block_list", "contact_microsoft", "register_domain", "stop_outbound_spam", "accept_domain",
    "enable_enhanced_filtering", "stop_forwarding", "authorize_client_ip", "investigate", "resolve_dns", "check_accepted_domains",
    "get_spf", "get_dkim", "get_direction", "get_kind", "get_status", "get_spam_verdict"};

/// Why Microsoft 365 refused to send; `no_reason` where no code says it.
inline constexpr std::size_t block_reasons = 8;
inline constexpr std::uint8_t no_reason = 8;

/// What the fix of a rule may depend on, as bits of a context.
inline constexpr unsigned fix_contexts = 64;
enum FixContext : unsigned {
  context_not_public = 1,   ///< special-use name or single label
  context_own = 2,          ///< organizational domain of an accepted domain
  context_gateway = 4,      ///< client_ip in a gateway
  context_unfiltered = 8,   ///< that gateway has enhanced filtering off
  context_forwarded = 16,
  context_connector = 32,
};

/// One state of the evidence under one profile.
struct Decision {
  std::uint8_t pool = pool_undetermined;
  std::uint8_t rule = 0;
  std::uint8_t candidates = 0;  ///< a bit per pool, bit 0 = normal
  std::uint8_t fix = no_value;  ///< of an undetermined state
};

/// How the prediction stands to an observation; `observed` may be `no_value`.
constexpr Agreement agreement_of(const Decision& decision, std::uint8_t observed, std::uint8_t from) noexcept {
  if (observed == no_value || decision.pool == pool_not_outbound) return agree_unobserved;
  if (observed == observed_consumer) return agree_not_comparable;  // before numbers are compared: blocked has the same one
  if (observed == decision.pool) return agree_match;
  const bool open = decision.pool == pool_undetermined && (decision.candidates >> observed & 1);
  const bool both_high_risk = (decision.pool == pool_high_risk && observed == observed_relay_high_risk) ||
                              (decision.pool == pool_relay_high_risk && observed == observed_high_risk);
  // An address cannot show the high-risk part of the relay pool (docs/choices.md 25).
  const bool address_alone = decision.pool == pool_relay_high_risk && observed == observed_relay &&
                             (from == from_outbound_ip || from == from_reject_text);
  return open || both_high_risk || address_alone ? agree_compatible : agree_mismatch;
}

}  // namespace poolsift
