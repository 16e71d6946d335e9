#include "world/member_means.h"

#include <algorithm>
#include <cmath>

namespace embody {

MemberMeans::MemberMeans(std::int64_t columns)
    : columns_(columns),
      first_(kBlockRows * columns),
      apart_(kBlockRows * columns),
      squares_(kBlockRows * columns),
      elite_(kBlockRows * columns) {}

void MemberMeans::clear(std::int64_t rows) {
    rows_ = rows;
    members_ = 0.0F;
    elites_ = 0.0F;
    for (const Buffer* sums : {&apart_, &squares_, &elite_}) {
        std::fill_n(sums->data(), rows * columns_, 0.0F);
    }
}

void MemberMeans::add(Rows means, bool elite) {
    for (std::int64_t row = 0; row < rows_; ++row) {
        const float* own = means.data + row * means.stride;
        const std::int64_t at = row * columns_;
        if (members_ == 0.0F) {
            std::copy_n(own, columns_, first_.data() + at);
        }
        for (std::int64_t c = 0; c < columns_; ++c) {
            const float apart = own[c] - first_.data()[at + c];
            apart_.data()[at + c] += apart;
            squares_.data()[at + c] += apart * apart;
        }
        for (std::int64_t c = 0; elite && c < columns_; ++c) {
            elite_.data()[at + c] += own[c];
        }
    }
    members_ += 1.0F;
    elites_ += elite ? 1.0F : 0.0F;
}

void MemberMeans::elites(std::int64_t row, float* out) const {
    for (std::int64_t c = 0; c < columns_; ++c) {
        out[c] = elite_.data()[row * columns_ + c] / elites_;
    }
}

float MemberMeans::disagreement(std::int64_t row) const {
    float total = 0.0F;
    for (std::int64_t at = row * columns_; at < (row + 1) * columns_; ++at) {
        const float mean = apart_.data()[at] / members_;
        total += std::max(squares_.data()[at] / members_ - mean * mean, 0.0F);
    }
    return std::sqrt(total);
}

}  // namespace embody
