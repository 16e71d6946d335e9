// Checks that all calls over a rollout share.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bind/arrays.h"
#include "returns/gae.h"

namespace embody::bind {

// [T, N, C] of a float32 array with at least one of each.
std::vector<std::int64_t> cube(const py::object& object, const std::string& name);

int check_threads(int threads);

// The place of a word in the legal ones. Throws ValueError that names the nearest one.
std::uint8_t choice(const std::string& name, std::string_view value,
                    std::span<const std::string_view> legal);

// An array of flags, or null for None.
const std::uint8_t* flags_or_null(const py::object& object, const std::string& name,
                                  const std::vector<std::int64_t>& shape);

// Rewards and the ends of episodes alone, or with values and discounts.
Rollout read_rows(const py::object& rewards, const py::object& terminated,
                  const py::object& truncated);
Rollout read_rollout(const py::object& rewards, const py::object& next_values,
                     const py::object& terminated, const py::object& truncated,
                     const py::object& gamma, const py::object& valid, const py::object& episodic);

struct AdvantageArrays {
    float* advantages = nullptr;
    float* returns = nullptr;
};

// Both arrays, which share memory with nothing that is read while they are written.
AdvantageArrays writable_apart(const py::object& advantages, const py::object& returns,
                               const py::object& rewards, const py::object& values,
                               const py::object& next_values);

}  // namespace embody::bind
