// Registers: runs of lanes handed out first fit and given back after their last use.
#pragma once

#include <cstdint>
#include <map>

namespace embody {

class Registers {
  public:
    // The first lane of `lanes` neighbouring lanes.
    std::int32_t take(std::int32_t lanes);
    void give_back(std::int32_t first, std::int32_t lanes);
    std::int64_t high_water() const { return end_; }

  private:
    std::map<std::int32_t, std::int32_t> free_;  // first lane -> lanes, neighbours merged
    std::int32_t end_ = 0;
};

}  // namespace embody
