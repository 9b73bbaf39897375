// fuzz_host_name.cpp: outbound host names; case and a trailing dot must not matter.
#include <string>

#include "exact.hpp"
#include "poolsift/host_name.hpp"
#include "poolsift/mailbox.hpp"

using namespace poolsift;

namespace {
constexpr Bytes suffix = ".outbound.example";

HostNames make_names() {
    HostNames names;
    names.add_suffix(suffix);
    std::uint8_t pool = 0;
    for (const char* code : {"on", "lp", "hn", "rln", "rlnn", "rlhn", "olkn", "eopbgr", "oln"}) names.add_code(code, pool++);
    names.add_code("bgr", 255);
    return names;
}

void check(Bytes host) {
    static const HostNames names = make_names();
    const HostAnswer answer = names.lookup(host);
    require(!answer.embedded || (answer.pool == 255 && answer.address.family == 4), "digits are read instead of a pool");
    std::string lower(host.size(), '\0');
    fold_ascii(host, lower.data());
    if (!lower.ends_with('.')) lower += '.';
    const HostAnswer again = names.lookup(lower);
    if (lower.size() > 254) return;
    require(again.pool == answer.pool && again.address == answer.address, "case and one trailing dot do not matter");
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Exact input(data, size);
    check(input.text());
    check(Exact("mail-" + std::string(input.text()) + std::string(suffix)).text());
    std::string dense = "mail-";   // the same bytes as letters of host names, so that random input gets deep
    for (const char byte : input.text()) dense += "0125azrlhnolkneopbgr_-f9"[static_cast<unsigned char>(byte) % 24];
    check(Exact(dense + std::string(suffix)).text());
    return 0;
}
