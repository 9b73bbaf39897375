// A few hundred rows of a batch, decoded column by column into small numbers, ready to be judged.
#pragma once

#include <cstdint>
#include <limits>

namespace poolsift {

inline constexpr std::int64_t block_size = 256;

/// Marks that the observation leaves for the evidence.
enum SentMark : std::uint8_t {
  sent_by_microsoft = 1,  ///< an outbound host, IP, pool name or SFP is recorded
  sent_by_consumer = 2,   ///< the host is one of the consumer service
  sent_conflict = 4,      ///< two sources of the observed pool differ
};

/// Word columns hold the numbers of word_reader.hpp, bool columns a Known.
struct Block {
  std::int64_t first = 0;
  std::int64_t end = 0;
  bool has_time[block_size];
  std::int64_t time[block_size];
  std::uint8_t kind[block_size], direction[block_size], status[block_size], spf[block_size], dmarc[block_size];
  std::uint8_t code[block_size];  ///< 0 not recorded, 1 no code of the block table, 2 + its index there
  std::uint8_t accepted[block_size], spam[block_size], forwarded[block_size], submitted[block_size], joined[block_size], trace[block_size];
  std::uint8_t spf_evaluated[block_size] = {};  ///< see spf_stage.hpp; stays 0 where nothing is evaluated
  std::uint8_t sent[block_size];  ///< SentMark bits
  std::uint8_t observed[block_size], observed_from[block_size];  ///< no_value: nothing spoke
};

inline constexpr std::uint8_t code_missing = 0;
inline constexpr std::uint8_t code_of_others = 1;
inline constexpr std::uint8_t first_block_code = 2;

}  // namespace poolsift
