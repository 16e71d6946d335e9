// The gradient of a regression loss of grouped networks over one minibatch: critics, or the members
// of an ensemble, each of which may have rows of its own.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "nn/network.h"
#include "nn/panels.h"
#include "nn/pass.h"
#include "nn/slices.h"

namespace embody {

// Sums over a row's numbers, e = output - target:
//   squared   e^2 / 2
//   huber     e^2 / 2 within `huber`, beyond it huber (|e| - huber / 2)
//   gaussian  (e^2 exp(-v) + v) / 2 with a log variance v per number, softly kept within learnt
//             bounds: w = high - softplus(high - raw), v = low + softplus(w - low)
// Paper of the bounds: Chua et al., Deep reinforcement learning in a handful of trials (2018).
enum class Loss : std::uint8_t { squared, huber, gaussian };

// Throws std::invalid_argument naming the legal losses.
Loss loss_named(std::string_view name);

struct RegressionShape {
    Network network;
    Loss loss = Loss::squared;
    std::int64_t bounds = 0;      // of a gaussian: low [T] and high [T] start here
    std::int64_t parameters = 0;  // floats of the flat array

    // T: numbers of a target; a gaussian's network gives T means, then T raw log variances.
    std::int64_t numbers() const {
        return loss == Loss::gaussian ? network.outputs() / 2 : network.outputs();
    }
};

struct RegressionBatch {
    const float* inputs = nullptr;        // [B, I]
    const float* targets = nullptr;       // [B, S, T]: group g learns set g S / G
    std::int64_t sets = 1;                // S, a divisor of G
    const std::int64_t* index = nullptr;  // [M], or [G, M]
    bool index_of_group = false;          // whether it is [G, M]
    std::int64_t count = 0;               // M
};

struct RegressionSettings {
    float huber = 1.0F;
    float bound_weight = 0.0F;  // of sum(high - low)
};

class RegressionGradient {
  public:
    // Throws std::invalid_argument for an illegal network.
    RegressionGradient(const RegressionShape& shape, int threads);

    const RegressionShape& shape() const { return shape_; }

    // The loss is the sum over groups of the mean over the minibatch, plus, for a gaussian, the
    // bounds' term. message[parameters + G]: its gradient laid out like the parameters (what lies
    // between them is left alone), then each group's loss. The same bits for any number of threads.
    void run(const float* flat, const RegressionBatch& batch, const RegressionSettings& settings,
             float* message);

  private:
    struct Worker {
        Pass pass;
        Buffer inputs;
    };

    void block(const float* flat, const RegressionBatch& batch, const RegressionSettings& settings,
               std::int64_t first, std::int64_t count, const Slice& slice, Worker& worker);
    void finish(std::int64_t slices, const RegressionBatch& batch,
                const RegressionSettings& settings, float* message);

    RegressionShape shape_;
    Slices slices_;
    Panels panels_;
    std::int64_t sums_size_;
    std::vector<double> sums_;  // [slices, sums]: losses [G], the bounds' gradient [2 T]
    std::vector<Worker> workers_;
};

}  // namespace embody
