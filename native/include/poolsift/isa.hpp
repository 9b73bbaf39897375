// isa.hpp: which instruction set the dispatched functions use.
#pragma once

#include <cstdint>

#include "poolsift/bytes.hpp"

namespace poolsift {

/// `base` is what every processor of the platform has and is the reference; `sse42` adds SSSE3, SSE4.1 and SSE4.2.
/// Results never depend on it.
enum class Isa : std::uint8_t { base, sse42 };

/// The largest set that this processor has.
Isa best_isa() noexcept;

/// Sets the instructions for all later calls in this module; `base` until it is called. A set that the processor lacks counts as
/// `base`. Call it once, before other threads start.
void choose_isa(Isa isa) noexcept;

/// What is in force.
Isa chosen_isa() noexcept;

/// Chooses by name: `base`, `sse42`, or empty for the best. False, and nothing changed, for any other word.
bool choose_isa_by_name(Bytes name) noexcept;

}  // namespace poolsift
