// Second pass over a batch: facts, verdict, observation, agreement and fix of every row. Facts and observation are found out from the
// record, or read from what an earlier run said of it; an overlay then changes facts.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "poolsift/block.hpp"
#include "poolsift/domain_memo.hpp"
#include "poolsift/domain_stage.hpp"
#include "poolsift/observation.hpp"
#include "poolsift/record_batch.hpp"
#include "poolsift/spf_stage.hpp"
#include "poolsift/verdict_columns.hpp"

namespace poolsift {

/// Gives WordReader the numbers of status codes, compared exactly after trimming ASCII spaces (docs/choices.md 3).
struct NumberOfCode {
  const WordTable& table;
  std::uint8_t operator()(std::string_view text) const noexcept {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text.empty() ? code_missing : static_cast<std::uint8_t>(table.lookup(text) + code_of_others);
  }
};

/// One run or thread: its memo and its working memory, used again for every batch. Not thread-safe; the kernel outlives it.
class Classifier {
 public:
  explicit Classifier(const Kernel& kernel);

  /// First pass. Afterwards memo().questions() are what Python must answer before classify().
  void read(const ArrowSchema& schema, const ArrowArray& array);
  /// What the table of SPF lacks for the batch that was read last, once the memo's questions are answered; to be answered in the table and
  /// asked for again until nothing is. What is still lacking in classify() is not evaluated.
  std::vector<SpfQuestion> spf_questions();
  /// Second pass over the batch that was read last, whose memory must still be there.
  std::unique_ptr<VerdictColumns> classify();

  DomainMemo& memo() noexcept { return memo_; }
  const PoolNameMemo& pool_names() const noexcept { return pool_names_; }
  /// Records without time under a dated profile so far.
  std::int64_t timeless() const noexcept { return timeless_; }

 private:
  void open_words();
  void decode(Block& block) const;
  void decode_codes(Block& block) const;
  void open_verdict_words();
  void decode_verdicts(Block& block) const;
  bool sent_on(const Block& block, std::int64_t at) const noexcept;
  void prefetch(const Block& block);
  void judge(const Block& block, VerdictColumns& out);
  std::uint32_t evidence_of_row(const Block& block, std::int64_t at, const StagedRow& staged) const;
  std::uint8_t block_reason(const Block& block, std::int64_t at) const;
  std::uint8_t spf_from_of(const Block& block, std::int64_t at) const noexcept;
  std::uint32_t overlaid(const Block& block, std::int64_t at, const StagedRow& staged, std::uint32_t evidence, std::uint8_t& spf_from) const;
  std::uint32_t overlaid_spf(const Block& block, std::int64_t at, const StagedRow& staged, std::uint32_t evidence, std::uint8_t& spf_from) const;
  static std::uint8_t overlaid_facts(const Block& block, std::int64_t at, std::uint32_t said, std::uint32_t evidence) noexcept;
  std::uint32_t gateway_of(std::int64_t row, std::uint16_t tenant) const;
  std::uint8_t fix_of(const Block& block, std::int64_t at, const StagedRow& staged, const Decision& decision, Agreement agreement) const;
  unsigned context_of(const Block& block, std::int64_t at, const StagedRow& staged, std::uint8_t rule) const;
  void append_sender(const Block& block, std::int64_t at, const StagedRow& staged, VerdictColumns& out);

  const Kernel& kernel_;
  DomainMemo memo_;
  DomainStage stage_;
  SpfStage spf_;
  PoolNameMemo pool_names_;
  Observer observer_;
  RecordBatch batch_;
  Block block_;
  WordReader kinds_, directions_, statuses_, spfs_, dmarcs_, codes_;
  WordReader observed_pools_, observed_froms_, sender_froms_, spf_froms_;
  std::string srs_;
  std::int64_t timeless_ = 0;
};

}  // namespace poolsift
