// Numbers of eight bits of precision: the upper halves of floats, two of them in a word.
#pragma once

#include <bit>
#include <cstdint>

#include "nn/buffer.h"

namespace embody {

// Two neighbours of a row in a word, the first one in its lower half.
using PairBuffer = Aligned<std::uint32_t>;

constexpr std::int64_t pairs_of(std::int64_t count) { return (count + 1) / 2; }

// Rounded to the nearest, halves to even; a NaN stays one. Numbers too small to be normal become
// zeros, as processors with bfloat16 units have it.
constexpr std::uint32_t bfloat16_bits(float x) {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(x);
    const std::uint32_t size = bits & 0x7FFFFFFFU;
    const std::uint32_t rounded = (bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16;
    const std::uint32_t number = size < 0x00800000U ? bits >> 16 & 0x8000U : rounded;
    return size > 0x7F800000U ? (bits >> 16 | 0x40U) : number;
}

constexpr std::uint32_t bfloat16_pair(float first, float second) {
    return bfloat16_bits(first) | bfloat16_bits(second) << 16;
}

}  // namespace embody
