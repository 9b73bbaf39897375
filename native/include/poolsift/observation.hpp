// The pool a message was really sent from, as five sources of the log tell it (docs/choices.md 20-24).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "poolsift/block.hpp"
#include "poolsift/kernel.hpp"
#include "poolsift/keyed_hash.hpp"
#include "poolsift/record_batch.hpp"

namespace poolsift {

/// A pool name that no table knows.
struct UnseenName {
  std::string name;
  std::int64_t count;
};

/// Pool names repeat: what each distinct one says, and how often those were seen that say nothing. Not thread-safe.
class PoolNameMemo {
 public:
  explicit PoolNameMemo(const PoolNames& names) : names_(names), seen_(0, Hash{hash_key()}) {}
  /// The observed pool, or no_value; a name that does not speak is counted.
  std::uint8_t lookup(std::string_view name);
  /// Names that do not speak and how often they were seen, as long as they are few and short.
  std::vector<UnseenName> unseen() const;

 private:
  struct Seen {
    std::uint8_t pool;
    std::int64_t count;
  };
  struct Hash {
    using is_transparent = void;
    HashKey key;
    std::size_t operator()(std::string_view text) const noexcept { return key(text); }
  };
  static constexpr std::size_t most_names = 4096;
  static constexpr std::size_t longest_name = 256;

  const PoolNames& names_;
  std::unordered_map<std::string, Seen, Hash, std::equal_to<>> seen_;
};

class Observer {
 public:
  Observer(const Kernel& kernel, PoolNameMemo& pool_names) : kernel_(kernel), pool_names_(pool_names) {}
  /// Fills `sent`, `observed` and `observed_from` of a block whose times are decoded.
  void observe(const RecordBatch& batch, Block& block);

 private:
  struct Voices;
  void observe_row(const RecordBatch& batch, Block& block, std::int64_t row);
  std::uint8_t host_pool(std::string_view host, std::int64_t time) const noexcept;
  std::uint8_t address_pool(const Address& address, std::int64_t time) const noexcept;
  std::uint8_t reply_pool(std::string_view text, std::int64_t time) const noexcept;

  const Kernel& kernel_;
  PoolNameMemo& pool_names_;
};

}  // namespace poolsift
