// SPDX-License-Identifier: Apache-2.0
// See admin.h.
#include "worker/mirror/admin.h"

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <utility>

#include "worker/mirror/publication.h"
#include "worker/mirror/sql.gen.h"

namespace edged::mirror {

namespace asio = boost::asio;

asio::awaitable<Result<MirrorStatus>> read_status(db::PgPool& pool,
                                                  net::Client& client,
                                                  const MirrorOptions& options) {
  MirrorStatus status;
  Result<std::optional<SlotFacts>> slot = co_await find_slot(pool, options.slot);
  if (!slot) co_return slot.error();
  status.slot = *std::move(slot);
  const db::PgParameters none;
  Result<db::PgResult> position =
      co_await pool.execute(std::string(sql::mirror::kServerPosition), none);
  if (!position) co_return position.error();
  const Result<Lsn> lsn = parse_lsn(position->text(0, 0));
  if (!lsn) co_return lsn.error();
  status.server_position = *lsn;
  Applier applier(co_await asio::this_coro::executor, client, options.ns);
  Result<StoredState> node = co_await applier.read_state();
  if (!node) co_return node.error();
  status.node = *std::move(node);
  co_return status;
}

Following judge(const MirrorStatus& status, const MirrorOptions& options, WallTime now) {
  if (!options.temporary_slot && status.slot && status.slot->wal_status == "lost") {
    return Following::kLost;
  }
  if (!status.node.source || !status.node.source->loaded || !status.node.fresh_as_of) {
    return Following::kNotLoaded;
  }
  if (!options.temporary_slot && (!status.slot || !status.slot->active)) return Following::kNobody;
  const auto late =
      std::max<std::chrono::milliseconds>(std::chrono::seconds(10), options.heartbeat * 5);
  return now - *status.node.fresh_as_of > late ? Following::kBehind : Following::kYes;
}

asio::awaitable<Result<Dropped>> drop(db::PgPool& pool,
                                      net::Client& client,
                                      const MirrorOptions& options) {
  Dropped dropped;
  const Result<bool> slot = co_await drop_slot(pool, options.slot);
  if (!slot) co_return slot.error();
  dropped.slot = *slot;
  const Result<bool> publication = co_await drop_publication(pool, options.publication);
  if (publication) dropped.publication = *publication;
  if (publication.code() == Code::kDenied) {
    dropped.publication_kept = publication.error();
  } else if (!publication) {
    co_return publication.error();
  }
  db::PgParameters parameters;
  parameters.emplace_back(options.slot);
  const Result<db::PgResult> forgotten =
      co_await pool.execute(std::string(sql::mirror::kForgetHeartbeats), parameters);
  if (!forgotten) co_return forgotten.error();
  Applier applier(co_await asio::this_coro::executor, client, options.ns);
  const Result<bool> released = co_await applier.release(options.who);
  if (released) dropped.node = *released;
  if (!released) dropped.node_failure = released.error();
  co_return dropped;
}

}  // namespace edged::mirror
