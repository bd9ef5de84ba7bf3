// SPDX-License-Identifier: Apache-2.0
// One target of targets.h for clang's libFuzzer, which brings main(). EDGED_FUZZ_TARGET is its
// name.
#include <cstddef>
#include <cstdint>

#include "proto/base/check.h"
#include "proto/base/log.h"
#include "tests/fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const edged::fuzz::Target* const target = [] {
    edged::log::set_level(edged::log::Level::kOff);
    return edged::fuzz::find_target(EDGED_FUZZ_TARGET);
  }();
  KV_CHECK(target != nullptr);
  target->run({reinterpret_cast<const char*>(data), size});
  return 0;
}
