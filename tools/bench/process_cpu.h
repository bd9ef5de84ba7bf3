// SPDX-License-Identifier: Apache-2.0
// The CPU time that a process has used so far, in user and kernel mode, all of its threads: utime
// and stime of /proc/PID/stat, in steps of 10 ms.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

namespace edged::bench {

// 0 for process 0, and for one that is not there.
inline double cpu_seconds_of(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string text;
  std::getline(file, text, '\0');
  const std::size_t name_end = text.rfind(')');  // the name may hold anything
  if (process == 0 || name_end == std::string::npos) return 0;
  std::istringstream fields(text.substr(name_end + 1));
  std::string field;
  double user = 0, system = 0;
  for (int i = 3; i < 14; ++i) fields >> field;  // proc(5) counts from 1
  fields >> user >> system;
  return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace edged::bench
