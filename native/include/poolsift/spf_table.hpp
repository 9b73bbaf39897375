// spf_table.hpp: results of SPF by domain and client address, as compiled programs or single outcomes; it grows while kernels read.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <string>
#include <vector>

#include "poolsift/address.hpp"
#include "poolsift/bytes.hpp"
#include "poolsift/text_index.hpp"

namespace poolsift {

/// A HELO name as outcomes are told apart by it: lower case; empty where none was recorded, or none that SMTP allows (only printable
/// ASCII without spaces, at most 255 bytes). `out` has room for longest_helo bytes.
constexpr std::size_t longest_helo = 255;
Bytes usable_helo(Bytes helo, char* out) noexcept;

/// What was said of one domain and family: a program (the result for every client address), or that each message needs an outcome
/// of its own, which may depend on the local part too. Words are numbers of SpfWord; 0 means that SPF could not be evaluated.
/// Names come in canonical. What was once said stands until clear().
///
/// Inside: identical programs are one, kept as family, starts in the machine's order, words. 192.0.2.0/24 pass, else fail, is
/// 4 | 0.0.0.0 192.0.2.0 192.0.3.0 | fail pass fail.
class SpfTable {
public:
    /// What is known of a name and family: a program's number plus first_program, or one of the others.
    enum Statement : std::uint32_t { nothing = 0, uncompiled = 1, uncompiled_with_local = 2, first_program = 3 };
    static constexpr std::uint8_t no_word = 255;   ///< nothing is known
    static constexpr std::size_t usual_bytes = std::size_t{512} << 20;

    explicit SpfTable(std::size_t most_bytes = usual_bytes) : most_bytes_(most_bytes) {}

    /// Says the result for every address: segment i begins at starts[i] (packed in network order, ascending, the first all zeros)
    /// and has words[i]. Throws std::invalid_argument for anything else.
    void add(Bytes name, unsigned family, Bytes starts, Bytes words);
    /// Says that each message needs an outcome. Throws std::invalid_argument for a bad name or family.
    void add_uncompiled(Bytes name, unsigned family, bool needs_local);
    /// Says the result for one message; `helo` is read by usable_helo, `local` counts only where the family's outcomes need it.
    void add_outcome(Bytes name, const Address& client, Bytes helo, Bytes local, std::uint8_t word);
    /// Forgets everything. Later epoch() differs.
    void clear();
    /// The same, but only where more than most_bytes are taken: between batches, so that none finds what it asked for gone at once.
    void trim();

    /// Keeps writers away. Whoever holds it waits for no other lock, nor for this one again.
    [[nodiscard]] std::shared_lock<std::shared_mutex> reading() const {
        const std::lock_guard turn(queue_);
        return std::shared_lock(room_);
    }

    // For whoever holds reading():
    [[nodiscard]] std::uint32_t epoch() const noexcept { return epoch_; }
    [[nodiscard]] std::uint32_t statement(Bytes name, unsigned family) const noexcept;
    /// The result of a program for an address of its family.
    [[nodiscard]] std::uint8_t word(std::uint32_t statement, const Address& client) const noexcept;
    /// The outcome of one message, or no_word. `key` is working memory; `helo` has been through usable_helo.
    [[nodiscard]] std::uint8_t outcome(Bytes name, const Address& client, Bytes helo, Bytes local, std::string& key) const;
    /// Brings those parts of a program nearer where looking up begins and ends.
    void prefetch(std::uint32_t statement) const noexcept;
    [[nodiscard]] const TextIndex& names() const noexcept { return names_; }

    // For whoever holds no lock:
    [[nodiscard]] std::uint8_t look(Bytes name, const Address& client, Bytes helo, Bytes local) const;
    /// The word of each pair, 0 where nothing is known; programs only.
    void look_many(const std::vector<Bytes>& names, const std::vector<Address>& clients, std::uint8_t* words) const;
    struct Counts {
        std::size_t programs, segments, outcomes, bytes;
        std::uint32_t epoch;
    };
    [[nodiscard]] Counts count() const;

private:
    void look_some(std::span<const Bytes> names, const Address* clients, std::uint8_t* words) const;
    void state(Bytes name, unsigned family, std::uint32_t statement);
    void forget();
    [[nodiscard]] std::size_t bytes() const noexcept;
    static void write_key(std::uint32_t name, const Address& client, Bytes helo, Bytes local, std::string& key);

    // Everybody passes the queue, so that readers who come and go without end do not keep writers waiting for ever.
    mutable std::mutex queue_;
    mutable std::shared_mutex room_;

    std::size_t most_bytes_;
    std::uint32_t epoch_ = 0;
    std::size_t segments_ = 0;
    TextIndex names_;
    std::vector<std::array<std::uint32_t, 2>> statements_;   ///< by number of the name: IPv4, IPv6
    TextIndex programs_;
    TextIndex outcomes_;
    std::vector<std::uint8_t> outcome_words_;
};

}  // namespace poolsift
