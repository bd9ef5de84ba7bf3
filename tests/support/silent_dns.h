// SPDX-License-Identifier: Apache-2.0
// A DNS that does not answer: a program linked with this asks the system for all names but those
// under ".silent". Whoever asks for one of those waits until the SilentDns is gone, at most
// kPatience, and then hears that there is no answer, as from the system's resolver; without one it
// hears so at once. Libraries that the program loads ask here too. Any thread.
#pragma once

#include <chrono>

namespace edged::test {

class SilentDns {
 public:
  static constexpr std::chrono::seconds kPatience{120};

  SilentDns();
  // Returns when everybody who waited has got the answer.
  ~SilentDns();
  SilentDns(const SilentDns&) = delete;
  SilentDns& operator=(const SilentDns&) = delete;

  // How many wait now, and how many have asked since it was made.
  int waiting() const;
  int asked() const;
  // False if fewer have asked in this time.
  bool wait_until_asked(int times, std::chrono::milliseconds longest) const;
};

}  // namespace edged::test
