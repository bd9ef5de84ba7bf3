// SPDX-License-Identifier: Apache-2.0
// What became of the mails that a Sender took from the queue, counted. Executor's thread.
#pragma once

#include "proto/base/metrics.h"

namespace edged::mail {

class SenderCounters {
 public:
  // `metrics` outlives the object. One object per registry: each registers its counters anew.
  explicit SenderCounters(MetricsRegistry& metrics)
      : sent(make(metrics, "sent")),
        dropped(make(metrics, "dropped")),
        dead(make(metrics, "dead")),
        retried(make(metrics, "retried")) {}

  Counter& sent;
  Counter& dropped;
  Counter& dead;
  Counter& retried;

 private:
  static Counter& make(MetricsRegistry& metrics, const char* result) {
    return metrics.counter("edged_queued_mails_total",
                           "Mails taken from the queue email, by what became of them.",
                           {{"result", result}});
  }
};

}  // namespace edged::mail
