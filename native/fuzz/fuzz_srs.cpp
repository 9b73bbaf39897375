// fuzz_srs.cpp: rewritten senders; what one holds is itself a usable address and part of the input.
#include <array>
#include <string>

#include "exact.hpp"
#include "poolsift/mailbox.hpp"
#include "poolsift/srs.hpp"

using namespace poolsift;

namespace {
void check(Bytes text) {
    std::string original = "left over";
    const bool held = srs_original(text, original);
    require(held == !original.empty(), "an original only where one is held");
    if (!held) return;
    require(is_srs(text), "an address that holds one is SRS");
    const Mailbox mailbox = parse_mailbox(original);
    require(mailbox.kind == MailboxKind::domain || mailbox.kind == MailboxKind::domain_needs_idna, "the original is usable");
    require(text.find(mailbox.domain) != Bytes::npos, "its domain stands in the input");
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static constexpr std::array<const char*, 16> pieces{"SRS0", "srs1", "+SRS=", "=", "==", "-", "+", "TT", "c7", "HHH",
                                                        "orig.example", "user", "@", "bounces", ".", "\""};
    const Exact input(data, size);
    check(input.text());
    std::string dense;   // the same bytes as pieces of such addresses, so that random input gets deep
    for (const char byte : input.text()) dense += pieces[static_cast<unsigned char>(byte) % pieces.size()];
    check(Exact(dense).text());
    check(Exact(dense + "@fwd.example").text());
    check(Exact("SRS0=h=c7=" + dense + "@fwd.example").text());
    return 0;
}
