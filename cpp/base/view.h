// Strided views of the caller's arrays. Rows may have any stride; columns lie side by side.
#pragma once

#include <cstddef>
#include <cstdint>

namespace embody {

enum class DType : std::uint8_t { f4, f8, u1 };

constexpr std::ptrdiff_t size_of(DType dtype) {
    return dtype == DType::f8 ? 8 : dtype == DType::f4 ? 4 : 1;
}

// Read-only rows [N, width].
struct InputView {
    const std::byte* data = nullptr;
    std::ptrdiff_t row_stride = 0;  // bytes, may be zero or negative
    std::int64_t width = 0;
    DType dtype = DType::f4;
};

// Results beyond this are out of the caches before anybody reads them, and are written past them.
inline constexpr std::int64_t kStreamBytes = std::int64_t{8} << 20;

// Writable rows [N, width]; rows never overlap.
struct OutputView {
    std::byte* data = nullptr;
    std::ptrdiff_t row_stride = 0;  // bytes, may be negative
    std::int64_t width = 0;
    bool stream = false;  // written past the caches, where that is possible
};

}  // namespace embody
