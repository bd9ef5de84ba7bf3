// SPDX-License-Identifier: Apache-2.0
// Every bound of the binary protocol, in one place: docs/protocol.md, "Limits". Sizes are bytes. A
// server may be configured to tighter values; it never accepts more than these.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace edged::wire {

inline constexpr std::uint8_t kProtocolVersion = 1;
inline constexpr std::size_t kHelloBytes = 16;
inline constexpr std::size_t kHeaderBytes = 24;

inline constexpr std::size_t kKeyBytesMax = 512;
inline constexpr std::size_t kMetadataBytesMax = 1024;
inline constexpr std::size_t kTitleBytesMax = 512;
inline constexpr std::size_t kNamespaceIdBytes = 32;
inline constexpr std::size_t kCredentialBytesMax = 1024;
// The TLV area of a frame or an item. Holds metadata of the largest size and everything else.
inline constexpr std::size_t kExtBytesMax = 4096;
inline constexpr std::size_t kValueBytesMax = 25 * 1024 * 1024;
// A value of this size fits a frame with any key, any metadata and all TLVs.
inline constexpr std::size_t kFrameValueBytesMax = 1024 * 1024;
// What a fragment carries if the sender has no reason for another size.
inline constexpr std::size_t kFragmentBytes = 256 * 1024;
// The items of a request that comes in fragments: an atomic batch of the largest size, and headers.
inline constexpr std::size_t kFragmentedItemsBytesMax = 9 * 1024 * 1024;
// The body of one frame, unless the peer's hello announced less; nobody may announce less than
// kBodyBytesFloor.
inline constexpr std::uint32_t kBodyBytesMax = 1024 * 1024 + 4096;
inline constexpr std::uint32_t kBodyBytesFloor = 64 * 1024;
// A frame whose body is above the limit but not above this is read over and answered with
// too_large; above it the connection ends. The largest value the store knows, 25 MiB, lies below.
inline constexpr std::uint32_t kSkippedBodyBytesMax = 32 * 1024 * 1024;

inline constexpr std::size_t kItemHeaderBytes = 12;
inline constexpr std::size_t kItemsMax = 1000;  // keys of MGET, items of MPUT, MDEL and BATCH
inline constexpr std::size_t kMirrorItemsMax = 10'000;  // items of a BATCH of the mirror
inline constexpr std::size_t kPositionBytesMax = 64;    // of a mirror's position in its source
inline constexpr std::uint32_t kListLimitMax = 1000;
inline constexpr std::size_t kPingBytesMax = 4096;
inline constexpr std::size_t kMessageBytesMax = 512;  // of the message TLV; longer ones are cut

// Per connection, on the server.
inline constexpr std::size_t kRequestsInFlightMax = 1024;
inline constexpr std::size_t kOutBytesMax = 4 * 1024 * 1024;  // above it the server stops reading
inline constexpr std::size_t kInFlightBytesMax = 32 * 1024 * 1024;
inline constexpr std::size_t kFragmentedMax = 64;  // requests of which fragments are missing
inline constexpr std::size_t kWatchesMax = 1000;

inline constexpr std::chrono::seconds kHelloTimeout{5};
inline constexpr std::chrono::seconds kFrameTimeout{5};  // plus a second for each 64 KiB of body
inline constexpr std::uint32_t kFrameBytesPerSecondMin = 64 * 1024;
inline constexpr std::chrono::seconds kIdleTimeout{300};
inline constexpr std::chrono::seconds kWriteTimeout{30};  // without the peer taking a byte
inline constexpr std::size_t kConnectionsMax = 10'000;

}  // namespace edged::wire
