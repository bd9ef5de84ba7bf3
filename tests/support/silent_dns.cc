// SPDX-License-Identifier: Apache-2.0
// The program's own getaddrinfo(), which stands before the C library's.
#include "tests/support/silent_dns.h"

#include <dlfcn.h>
#include <netdb.h>

#include <condition_variable>
#include <mutex>
#include <string_view>

namespace edged::test {
namespace {

// A function of the C library has no object to keep this in. Never destroyed: threads of libraries
// may ask until the program ends.
struct Shared {
  std::mutex mutex;
  std::condition_variable changed;
  bool silent = false;
  int waiting = 0, asked = 0;
};

Shared& shared() {
  static auto* const kept = new Shared;
  return *kept;
}

int no_answer() {
  Shared& dns = shared();
  std::unique_lock lock(dns.mutex);
  ++dns.asked;
  ++dns.waiting;
  dns.changed.notify_all();
  dns.changed.wait_for(lock, SilentDns::kPatience, [&dns] { return !dns.silent; });
  --dns.waiting;
  dns.changed.notify_all();
  return EAI_AGAIN;
}

}  // namespace

SilentDns::SilentDns() {
  const std::lock_guard lock(shared().mutex);
  shared().silent = true;
  shared().asked = 0;
}

SilentDns::~SilentDns() {
  std::unique_lock lock(shared().mutex);
  shared().silent = false;
  shared().changed.notify_all();
  shared().changed.wait(lock, [] { return shared().waiting == 0; });
}

int SilentDns::waiting() const {
  const std::lock_guard lock(shared().mutex);
  return shared().waiting;
}

int SilentDns::asked() const {
  const std::lock_guard lock(shared().mutex);
  return shared().asked;
}

bool SilentDns::wait_until_asked(int times, std::chrono::milliseconds longest) const {
  std::unique_lock lock(shared().mutex);
  return shared().changed.wait_for(lock, longest, [times] { return shared().asked >= times; });
}

}  // namespace edged::test

extern "C" int getaddrinfo(const char* name,
                           const char* service,
                           const addrinfo* req,
                           addrinfo** pai) {
  if (name != nullptr && std::string_view(name).ends_with(".silent")) {
    return edged::test::no_answer();
  }
  using Ask = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto ask = reinterpret_cast<Ask>(dlsym(RTLD_NEXT, "getaddrinfo"));
  return ask(name, service, req, pai);
}
