// isa.cpp: asks the processor once and remembers the choice.
#include "poolsift/isa.hpp"

#include <atomic>

namespace poolsift {

namespace {
std::atomic<Isa> isa_in_force{Isa::base};
}

Isa best_isa() noexcept {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("ssse3")) return Isa::sse42;
#endif
    return Isa::base;
}

void choose_isa(Isa isa) noexcept {
    isa_in_force.store(isa == Isa::sse42 ? best_isa() : Isa::base, std::memory_order_relaxed);
}

Isa chosen_isa() noexcept { return isa_in_force.load(std::memory_order_relaxed); }

bool choose_isa_by_name(Bytes name) noexcept {
    if (name.empty() || name == "sse42") {
        choose_isa(Isa::sse42);
    } else if (name == "base") {
        choose_isa(Isa::base);
    } else {
        return false;
    }
    return true;
}

}  // namespace poolsift
