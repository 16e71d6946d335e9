// The smallest test frame: named tests that register themselves, and checks that count.
#pragma once

#include <cmath>
#include <functional>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

namespace embody::testing {

struct Test {
    std::string name;
    std::function<void()> body;
};

inline std::vector<Test>& tests() {
    static std::vector<Test> all;
    return all;
}

inline int& failures() {
    static int count = 0;
    return count;
}

struct Register {
    Register(std::string name, std::function<void()> body) {
        tests().push_back({std::move(name), std::move(body)});
    }
};

inline void check(bool fine, const char* what, const char* file, int line) {
    if (!fine) {
        ++failures();
        std::cerr << file << ":" << line << ": failed: " << what << "\n";
    }
}

template <class F>
void check_fails(F&& call, const std::string& message, const char* file, int line) {
    try {
        call();
    } catch (const std::exception& error) {
        check(std::string(error.what()).find(message) != std::string::npos, error.what(), file,
              line);
        return;
    }
    check(false, "expected an exception", file, line);
}

}  // namespace embody::testing

#define TEST(name)                                                        \
    static void name();                                                   \
    static const embody::testing::Register register_##name(#name, &name); \
    static void name()
#define CHECK(condition) embody::testing::check((condition), #condition, __FILE__, __LINE__)
#define CHECK_FAILS(call, message) \
    embody::testing::check_fails([&] { call; }, message, __FILE__, __LINE__)
