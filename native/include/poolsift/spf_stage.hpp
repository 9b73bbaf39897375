// SPF of the rows that record none: which domain and address it is evaluated for, what the table lacks, and what it says.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "poolsift/block.hpp"
#include "poolsift/domain_stage.hpp"
#include "poolsift/record_batch.hpp"
#include "poolsift/spf_table.hpp"
#include "poolsift/word_reader.hpp"

namespace poolsift {

/// What Python is asked: the program of a name and family, or the outcome of one message where no program can be made.
struct SpfQuestion {
  bool outcome;
  std::uint8_t family;
  std::string name;
  // of an outcome:
  Address client;
  std::string helo;   ///< as usable_helo gives it; the name itself where the reverse-path is null
  std::string local;  ///< as written; empty unless the outcome depends on it
};

/// Of a row's byte in Block::spf_evaluated: the SpfWord that was evaluated, 0 for none; and whether what the row records no longer counts.
inline constexpr std::uint8_t spf_word_bits = 7;
inline constexpr std::uint8_t spf_replaced = 0x80;

/// The SpfWord that the fact is read from: a recorded result wins, unless it was about a gateway that is newly filtered.
constexpr std::uint8_t counted_spf(const Block& block, std::int64_t at) noexcept {
  const std::uint8_t evaluated = block.spf_evaluated[at];
  return evaluated == 0 ? block.spf[at] : static_cast<std::uint8_t>(evaluated & spf_word_bits);
}

/// The address that SPF is about: the client's, or, behind a gateway with enhanced filtering, that before the gateway. Family 0: none.
struct Arrival {
  Address address;
  bool newly_filtered;
};
Arrival arrival_of(const Kernel& kernel, const RecordBatch& batch, std::int64_t row, std::uint16_t tenant) noexcept;

/// Words are settled as soon as they can be, so that what another thread makes the table forget is not asked for again.
class SpfStage {
 public:
  /// Both outlive the stage.
  SpfStage(const Kernel& kernel, DomainMemo& memo);

  /// False: no row is ever evaluated, and the calls below are not needed.
  bool active() const noexcept { return active_; }
  /// Reads a batch opened with its arrival columns, after its domains were staged; names of HELO are asked by the memo. `rows` outlive the batch.
  void stage(const RecordBatch& batch, const std::vector<StagedRow>& rows);
  /// Takes up what the table says and gives what it lacks, each once. Needs settled domains.
  std::vector<SpfQuestion> questions(const RecordBatch& batch);
  /// Takes up what the table says; the rest is not evaluated. Needs settled domains.
  void settle(const RecordBatch& batch);
  /// Fills `spf_evaluated`.
  void read(Block& block) const;

 private:
  /// A row that waits for the table.
  struct Open {
    std::uint32_t row;
    NameId name;
    Address client;
    bool null_path;
  };
  class Inquiry;

  void choose(const RecordBatch& batch, std::int64_t row, const StagedRow& staged, bool recorded);
  NameId name_of_helo(const RecordBatch& batch, std::int64_t row, std::uint16_t tenant);
  void settle_names();
  void look_up(const RecordBatch& batch, Inquiry* inquiry);
  void renew_cache();
  std::uint32_t statement_of(const Open& one) noexcept;
  std::uint8_t word_of(const RecordBatch& batch, const Open& one, std::uint32_t statement, Inquiry* inquiry);

  const Kernel& kernel_;
  DomainMemo& memo_;
  SpfTable* table_;
  bool active_;
  WordReader spfs_;
  std::vector<std::uint8_t> words_;  ///< a byte a row
  std::vector<Open> open_;
  bool names_settled_ = false;
  std::vector<std::array<std::uint32_t, 2>> cache_;  ///< statements by NameId: IPv4, IPv6; SpfTable::nothing: look again
  std::uint32_t cache_epoch_ = 0;
  std::uint32_t cache_generation_ = 0;
  std::string helo_, key_;
};

}  // namespace poolsift
