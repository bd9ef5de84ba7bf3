// SPDX-License-Identifier: Apache-2.0
// The namespace in which a worker publishes its status. It is nobody's data: who looks for "the
// only namespace" of a node leaves it out.
#pragma once

namespace edged::net {

inline constexpr const char* kSystemNamespaceTitle = "edged-system";
inline constexpr const char* kSystemNamespaceId = "00000000000000000000006564676564";

}  // namespace edged::net
