// Counter-based random numbers: the same counter and key give the same numbers anywhere.
#pragma once

#include <array>
#include <cstdint>

namespace embody {

struct PhiloxKey {
    std::uint32_t low = 0;
    std::uint32_t high = 0;

    constexpr explicit PhiloxKey(std::uint64_t seed)
        : low(static_cast<std::uint32_t>(seed)), high(static_cast<std::uint32_t>(seed >> 32)) {}
};

inline constexpr int kPhiloxRounds = 10;
inline constexpr std::uint32_t kPhiloxFirst = 0xD2511F53U;  // multipliers
inline constexpr std::uint32_t kPhiloxSecond = 0xCD9E8D57U;
inline constexpr std::uint32_t kPhiloxLow = 0x9E3779B9U;  // what a round adds to the key
inline constexpr std::uint32_t kPhiloxHigh = 0xBB67AE85U;

// Philox 4x32-10. Paper: Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (2011).
constexpr std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> c, PhiloxKey key) {
    for (int round = 0; round < kPhiloxRounds; ++round) {
        const std::uint64_t first = std::uint64_t{kPhiloxFirst} * c[0];
        const std::uint64_t second = std::uint64_t{kPhiloxSecond} * c[2];
        c = {static_cast<std::uint32_t>(second >> 32) ^ c[1] ^ key.low,
             static_cast<std::uint32_t>(second),
             static_cast<std::uint32_t>(first >> 32) ^ c[3] ^ key.high,
             static_cast<std::uint32_t>(first)};
        key.low += kPhiloxLow;
        key.high += kPhiloxHigh;
    }
    return c;
}

}  // namespace embody
