// SPDX-License-Identifier: Apache-2.0
// A library needs a source; what matters are its precompiled headers (tests/CMakeLists.txt).
