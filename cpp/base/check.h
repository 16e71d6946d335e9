// Errors that name the thing, what was expected and what was got.
#pragma once

#include <cstdint>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace embody {

// One string from any printable parts.
template <class... Parts>
std::string text(const Parts&... parts) {
    std::ostringstream out;
    (out << ... << parts);
    return out.str();
}

// Throws std::invalid_argument, which the binding turns into ValueError.
template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
    throw std::invalid_argument(text(parts...));
}

// ", did you mean 'name'?" for the legal name with the smallest edit distance, or "" when none is
// near.
std::string suggestion(std::string_view wrong, std::span<const std::string_view> legal);

}  // namespace embody
