// SPDX-License-Identifier: Apache-2.0
// See routes.h.
#include "kvstore/server/routes.h"

#include <array>
#include <string>

#include "kvstore/server/mirror_terms.h"
#include "kvstore/server/operations.h"
#include "proto/wire/operation_table.h"

namespace edged::server {
namespace {

using wire::Opcode;

constexpr std::array kKnown{KnownOperation{Opcode::kGet, Route::kMemory},
                            KnownOperation{Opcode::kPut, Route::kWriter},
                            KnownOperation{Opcode::kPutIfAbsent, Route::kWriter},
                            KnownOperation{Opcode::kPutIfPresent, Route::kWriter},
                            KnownOperation{Opcode::kPutIfVersion, Route::kWriter},
                            KnownOperation{Opcode::kDelete, Route::kWriter},
                            KnownOperation{Opcode::kDeleteIfVersion, Route::kWriter},
                            KnownOperation{Opcode::kTouch, Route::kWriter},
                            KnownOperation{Opcode::kGetAndTouch, Route::kWriter},
                            KnownOperation{Opcode::kAdd, Route::kWriter},
                            KnownOperation{Opcode::kMultiGet, Route::kMemory},
                            KnownOperation{Opcode::kMultiPut, Route::kWriter},
                            KnownOperation{Opcode::kMultiDelete, Route::kWriter},
                            KnownOperation{Opcode::kList, Route::kPool},
                            KnownOperation{Opcode::kLeasePut, Route::kWriter},
                            KnownOperation{Opcode::kInvalidate, Route::kWriter},
                            KnownOperation{Opcode::kBatch, Route::kWriter},
                            KnownOperation{Opcode::kOpen, Route::kAtOnce},
                            KnownOperation{Opcode::kAuth, Route::kConnection},
                            KnownOperation{Opcode::kPing, Route::kAtOnce},
                            KnownOperation{Opcode::kStats, Route::kPool},
                            KnownOperation{Opcode::kWatch, Route::kConnection},
                            KnownOperation{Opcode::kCancel, Route::kConnection},
                            KnownOperation{Opcode::kNamespaceCreate, Route::kPool},
                            KnownOperation{Opcode::kNamespaceList, Route::kAtOnce},
                            KnownOperation{Opcode::kNamespaceRename, Route::kPool},
                            KnownOperation{Opcode::kNamespaceDelete, Route::kPool},
                            KnownOperation{Opcode::kNamespaceClear, Route::kPool},
                            KnownOperation{Opcode::kNamespaceUsage, Route::kAtOnce},
                            KnownOperation{Opcode::kClockConfirm, Route::kPool},
                            KnownOperation{Opcode::kTokenCreate, Route::kPool},
                            KnownOperation{Opcode::kTokenList, Route::kPool},
                            KnownOperation{Opcode::kTokenRevoke, Route::kPool}};
// By opcode: its place in kKnown, kKnown.size() if there is none.
constexpr std::array<std::uint8_t, 256> kPlaces = [] {
  std::array<std::uint8_t, 256> places{};
  places.fill(kKnown.size());
  for (std::size_t i = 0; i < kKnown.size(); ++i) {
    places[static_cast<std::uint8_t>(kKnown[i].opcode)] = static_cast<std::uint8_t>(i);
  }
  return places;
}();

}  // namespace

std::span<const KnownOperation> known_operations() {
  return kKnown;
}

std::size_t place_of(Opcode opcode) {
  return kPlaces[static_cast<std::uint8_t>(opcode)];
}

Route route_of(Opcode opcode) {
  return kKnown[place_of(opcode)].route;
}

bool goes_without_saying(Opcode opcode, Code status) {
  switch (opcode) {
    case Opcode::kGet:
    case Opcode::kGetAndTouch:
      return status == Code::kNotFound;
    case Opcode::kMultiPut:
    case Opcode::kMultiDelete:
      return false;  // its items tell
    default:
      return is_write(opcode) && status == Code::kOk;
  }
}

Status check_request(const wire::Request& request) {
  const Status shape = wire::check_shape(request);
  return shape.ok() ? check_mirror_fields(request) : shape;
}

}  // namespace edged::server
