// standalone_main.cpp: runs a fuzz target without libFuzzer, over files or over N random inputs of a seed.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

int run_file(const char* path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        std::fprintf(stderr, "cannot read %s\n", path);
        return 2;
    }
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    return LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

/// Short inputs mostly, a long one now and then; bytes of all values or printable ones.
void run_random(std::uint64_t inputs, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::vector<std::uint8_t> bytes;
    for (std::uint64_t i = 0; i < inputs; ++i) {
        bytes.resize(random() % (i % 64 == 0 ? 600 : 48));
        const bool printable = random() % 2 == 0;
        for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(printable ? 0x20 + random() % 0x5f : random());
        LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    }
}

}  // namespace

int main(int count, char** words) {
    std::uint64_t runs = 0;
    std::uint64_t seed = 1;
    int files = 0;
    for (int i = 1; i < count; ++i) {
        const std::string word = words[i];
        if ((word == "--runs" || word == "--seed") && i + 1 < count) {
            (word == "--runs" ? runs : seed) = std::strtoull(words[++i], nullptr, 10);
        } else if (const int failed = run_file(words[i]); failed != 0) {
            return failed;
        } else {
            ++files;
        }
    }
    if (count < 2) {
        std::fprintf(stderr, "usage: %s [--runs INPUTS] [--seed SEED] [FILE...]\n", words[0]);
        return 2;
    }
    run_random(runs, seed);
    std::printf("%s: %d files, %llu inputs of seed %llu\n", words[0], files, static_cast<unsigned long long>(runs),
                static_cast<unsigned long long>(seed));
    return 0;
}
