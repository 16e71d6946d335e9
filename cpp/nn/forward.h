// Forward passes in the precision that is asked for.
#pragma once

#include <cstdint>
#include <variant>

#include "nn/bfloat16_panels.h"
#include "nn/bfloat16_pass.h"
#include "nn/network.h"
#include "nn/panels.h"
#include "nn/pass.h"

namespace embody {

enum class Precision : std::uint8_t { float32, bfloat16 };

// A network's parameters packed for both precisions; immutable.
class ForwardPanels {
  public:
    ForwardPanels(const Network& network, const float* flat)
        : float32_(network), bfloat16_(network, flat) {
        float32_.pack(flat, Back::none);
    }

    const Panels& float32() const { return float32_; }
    const Bfloat16Panels& bfloat16() const { return bfloat16_; }

  private:
    Panels float32_;
    Bfloat16Panels bfloat16_;
};

// The memory of one thread.
class Forward {
  public:
    Forward(const Network& network, Precision precision) : pass_(made(network, precision)) {}

    // As Pass::forward, for inputs padded with zeros up to a multiple of kLine.
    Rows run(const ForwardPanels& panels, std::int64_t group, std::int64_t rows, Rows inputs,
             Rows begun = {}) {
        if (auto* rounded = std::get_if<Bfloat16Pass>(&pass_)) {
            return rounded->forward(panels.bfloat16(), group, rows, inputs, begun);
        }
        return std::get<Pass>(pass_).forward(panels.float32(), group, rows, inputs, begun);
    }

  private:
    using Either = std::variant<Pass, Bfloat16Pass>;
    static Either made(const Network& network, Precision precision) {
        return precision == Precision::bfloat16 ? Either(std::in_place_type<Bfloat16Pass>, network)
                                                : Either(std::in_place_type<Pass>, network, false);
    }

    Either pass_;
};

}  // namespace embody
