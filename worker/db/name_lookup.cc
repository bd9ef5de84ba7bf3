// SPDX-License-Identifier: Apache-2.0
// See name_lookup.h. A service of the io_context knows who waits for which name; a thread that has
// an answer finds them there, or finds that the io_context is gone.
#include "worker/db/name_lookup.h"

#include <netdb.h>
#include <sys/socket.h>

#include <boost/asio.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

namespace edged::db {
namespace {

namespace asio = boost::asio;
using SteadyTime = std::chrono::steady_clock::time_point;

Status no_address(const std::string& name, const std::string& why) {
  return Status(Code::kUnavailable, "could not resolve PostgreSQL host \"" + name + "\": " + why);
}

// Blocks.
Addresses ask_system(const std::string& name) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(name.c_str(), nullptr, &hints, &found); error != 0) {
    return no_address(name, gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, freeaddrinfo);
  std::vector<std::string> addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    char text[NI_MAXHOST];
    if (getnameinfo(one->ai_addr, one->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) ==
        0) {
      addresses.emplace_back(text);
    }
  }
  if (addresses.empty()) return no_address(name, "no address");
  return addresses;
}

// One coroutine that waits for one name. The executor's thread; the timer is what wakes it.
struct Waiter {
  Waiter(const asio::any_io_executor& executor, SteadyTime deadline) : timer(executor, deadline) {}
  asio::steady_timer timer;
  std::optional<Addresses> answer;
};

struct Waiting {
  std::mutex mutex;
  bool closed = false;  // the io_context and all waiters are gone
  std::map<std::string, std::vector<std::weak_ptr<Waiter>>> by_name;
};

// The thread of one name. Holding the mutex keeps the io_context from going meanwhile.
void ask(const std::shared_ptr<Waiting>& waiting, const std::string& name) {
  const Addresses answer = ask_system(name);
  const std::lock_guard lock(waiting->mutex);
  if (waiting->closed) return;
  for (const std::weak_ptr<Waiter>& weak : waiting->by_name[name]) {
    std::shared_ptr<Waiter> waiter = weak.lock();
    if (waiter == nullptr) continue;
    const asio::any_io_executor executor = waiter->timer.get_executor();
    asio::post(executor, [waiter = std::move(waiter), answer] {
      waiter->answer = answer;
      waiter->timer.cancel();
    });
  }
  waiting->by_name.erase(name);
}

class NameLookups : public asio::execution_context::service {
 public:
  using key_type = NameLookups;  // NOLINT(readability-identifier-naming): Asio looks for it
  static inline asio::execution_context::id id;

  explicit NameLookups(asio::execution_context& context) : service(context) {}

  std::shared_ptr<Waiter> start(const asio::any_io_executor& executor,
                                const std::string& name,
                                SteadyTime deadline) {
    auto waiter = std::make_shared<Waiter>(executor, deadline);
    const std::lock_guard lock(waiting_->mutex);
    auto [entry, is_new] = waiting_->by_name.try_emplace(name);
    std::erase_if(entry->second, [](const auto& weak) { return weak.expired(); });
    entry->second.push_back(waiter);
    if (!is_new) return waiter;
    try {
      std::thread([waiting = waiting_, name] { ask(waiting, name); }).detach();
    } catch (const std::system_error& error) {
      waiting_->by_name.erase(entry);
      waiter->answer = no_address(name, error.what());
    }
    return waiter;
  }

  void shutdown() override {
    const std::lock_guard lock(waiting_->mutex);
    waiting_->closed = true;
    waiting_->by_name.clear();
  }

 private:
  std::shared_ptr<Waiting> waiting_ = std::make_shared<Waiting>();
};

}  // namespace

asio::awaitable<std::vector<Addresses>> look_up(asio::any_io_executor executor,
                                                std::vector<std::string> names,
                                                SteadyTime deadline) {
  auto& lookups = asio::use_service<NameLookups>(asio::query(executor, asio::execution::context));
  std::vector<std::shared_ptr<Waiter>> waiters;
  for (const std::string& name : names) waiters.push_back(lookups.start(executor, name, deadline));
  std::vector<Addresses> all;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!waiters[i]->answer) {
      co_await waiters[i]->timer.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    all.push_back(waiters[i]->answer.value_or(
        no_address(names[i], "the DNS did not answer within connect_timeout")));
  }
  co_return all;
}

}  // namespace edged::db
