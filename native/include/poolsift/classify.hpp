// Second pass over a batch: facts, verdict, observation, agreement and fix of every row.
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
  void prefetch(const Block& block);
  void judge(const Block& block, VerdictColumns& out);
  std::uint32_t evidence_of_row(const Block& block, std::int64_t at, const StagedRow& staged) const;
  std::uint8_t block_reason(const Block& block, std::int64_t at) const;
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
  std::string srs_;
  std::int64_t timeless_ = 0;
};

}  // namespace poolsift
