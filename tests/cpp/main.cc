// Runs every test. 77 (skipped) when this CPU lacks the SIMD level that EMBODY_SIMD asks for.
#include "base/simd.h"
#include "check.h"

int main() {
    using namespace embody;
    try {
        std::cout << "SIMD level " << simd_name(simd_level()) << "\n";
    } catch (const std::invalid_argument& error) {
        std::cout << "skipped: " << error.what() << "\n";
        return 77;
    }
    for (const testing::Test& test : testing::tests()) {
        const int before = testing::failures();
        test.body();
        std::cout << (testing::failures() == before ? "ok     " : "FAILED ") << test.name << "\n";
    }
    return testing::failures() == 0 ? 0 : 1;
}
