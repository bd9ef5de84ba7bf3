// SPDX-License-Identifier: Apache-2.0
// See write_pass.h.
#include "kvstore/operations/write_pass.h"

#include <utility>

#include "kvstore/operations/operations.h"
#include "kvstore/operations/shared.h"
#include "kvstore/operations/write_rules.h"

namespace edged::operations {

void WritePass::add(storage::Write write, Asked asked) {
  operations_ += write.operations.size();
  items.push_back({std::move(write), {}, {}});
  asked_.push_back(std::move(asked));
}

void WritePass::done(storage::Durability durability) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (items[i].write.durability == durability) answer(items[i], asked_[i]);
  }
}

void WritePass::answer(Item& item, Asked& asked) {
  Result<std::vector<storage::WriteOutcome>> written(std::move(item.outcomes));
  if (!item.status.ok()) written = std::move(item.status);
  shared_.work.under_way()->end();
  shared_.write_bytes.fetch_sub(asked.bytes);
  const Code code = code_of(written, asked.atomic);
  shared_.metrics[static_cast<std::size_t>(asked.face)]->count(asked.kind, code, asked.start);
  std::exchange(asked.done, nullptr)(std::move(written));
  shared_.pending.end();  // last: the operations may go
}

std::shared_ptr<WritePass> Operations::begin_pass() {
  return std::make_shared<WritePass>(*shared_);
}

void Operations::collect(WritePass& pass,
                         Caller& caller,
                         storage::Write write,
                         Done<std::vector<storage::WriteOutcome>> done) {
  WritePass::Asked asked;
  asked.start = std::chrono::steady_clock::now();
  asked.bytes = bytes_of(write);
  asked.face = caller.face();
  asked.kind = kind_of(write);
  asked.atomic = write.atomic;
  Status allowed = admit();
  if (allowed.ok()) allowed = authorize_write(caller, write);
  const std::size_t held = shared_->write_bytes.fetch_add(asked.bytes);
  if (allowed.ok() && held > 0 && held + asked.bytes > options_.write_bytes_max) {
    allowed = {Code::kBusy, "could not write: the memory limit of writes under way is reached"};
  }
  if (!allowed.ok()) {
    shared_->write_bytes.fetch_sub(asked.bytes);
    shared_->metrics_of(caller).count(asked.kind, allowed.code(), asked.start);
    return done(std::move(allowed));
  }
  shared_->pending.begin();
  work_.under_way()->begin();
  asked.done = std::move(done);
  pass.add(std::move(write), std::move(asked));
}

void Operations::commit(std::shared_ptr<WritePass> pass) {
  if (!pass->empty()) store_.commit(std::move(pass));
}

}  // namespace edged::operations
