// SPDX-License-Identifier: Apache-2.0
#include "tests/soak/cron_jobs.h"

namespace edged::soak {
namespace {

using std::tm;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using worker::Misfire;

// std::tm counts months from 0 = January and weekdays from 0 = Sunday.
constexpr int kMarch = 2, kOctober = 9, kNovember = 10;
constexpr int kSunday = 0, kFriday = 5, kSaturday = 6;

std::vector<CronJobSpec> new_york() {
  const char* const zone = "America/New_York";
  return {
      {"ny-nightly",
       zone,
       Misfire::kLast,
       milliseconds(0),
       {{"30 2 * * *", false, [](const tm& t) { return t.tm_hour == 2 && t.tm_min == 30; }}}},
      {"ny-hourly",
       zone,
       Misfire::kNone,
       milliseconds(0),
       {{"@hourly", true, [](const tm& t) { return t.tm_min == 0; }}}},
      {"ny-mixed",
       zone,
       Misfire::kLast,
       milliseconds(0),
       {{"*/30 1-3 * * *",
         true,
         [](const tm& t) { return t.tm_min % 30 == 0 && t.tm_hour >= 1 && t.tm_hour <= 3; }},
        {"15,45 1,2 * mar,nov sun",
         false,
         [](const tm& t) {
           return (t.tm_min == 15 || t.tm_min == 45) && (t.tm_hour == 1 || t.tm_hour == 2) &&
                  (t.tm_mon == kMarch || t.tm_mon == kNovember) && t.tm_wday == kSunday;
         }},
        {"@monthly",
         false,
         [](const tm& t) { return t.tm_mday == 1 && t.tm_hour == 0 && t.tm_min == 0; }}}},
      {"ny-shown-twice",
       zone,
       Misfire::kLast,
       seconds(30),
       {{"0,30,59 1 * * *",
         false,
         [](const tm& t) {
           return t.tm_hour == 1 && (t.tm_min == 0 || t.tm_min == 30 || t.tm_min == 59);
         }}}},
  };
}

std::vector<CronJobSpec> berlin() {
  const char* const zone = "Europe/Berlin";
  return {
      {"berlin-often",
       zone,
       Misfire::kNone,
       seconds(15),
       {{"7/30 */2 * * *",
         true,
         [](const tm& t) { return (t.tm_min == 7 || t.tm_min == 37) && t.tm_hour % 2 == 0; }}}},
      {"berlin-fixed",
       zone,
       Misfire::kLast,
       milliseconds(0),
       {{"0,30 2-3 * * *",
         false,
         [](const tm& t) { return t.tm_min % 30 == 0 && (t.tm_hour == 2 || t.tm_hour == 3); }}}},
      {"berlin-each-minute",
       zone,
       Misfire::kNone,
       milliseconds(0),
       {{"* 1-3 * mar,oct sun",
         true,
         [](const tm& t) {
           return t.tm_hour >= 1 && t.tm_hour <= 3 &&
                  (t.tm_mon == kMarch || t.tm_mon == kOctober) && t.tm_wday == kSunday;
         }}}},
  };
}

std::vector<CronJobSpec> lord_howe() {
  const char* const zone = "Australia/Lord_Howe";  // its summer time is half an hour
  return {
      {"lord-howe-often",
       zone,
       Misfire::kNone,
       milliseconds(0),
       {{"15 */3 * * *", true, [](const tm& t) { return t.tm_min == 15 && t.tm_hour % 3 == 0; }}}},
      {"lord-howe-fixed",
       zone,
       Misfire::kLast,
       milliseconds(0),
       {{"0,15,30,45 1-2 * * sat,sun",
         false,
         [](const tm& t) {
           return t.tm_min % 15 == 0 && (t.tm_hour == 1 || t.tm_hour == 2) &&
                  (t.tm_wday == kSaturday || t.tm_wday == kSunday);
         }}}},
  };
}

std::vector<CronJobSpec> without_summer_time() {
  return {
      {"phoenix-working-days",
       "America/Phoenix",
       Misfire::kNone,
       milliseconds(0),
       {{"0 9-17/2 * * MON-FRI",
         false,
         [](const tm& t) {
           return t.tm_min == 0 && t.tm_hour >= 9 && t.tm_hour <= 17 && t.tm_hour % 2 == 1 &&
                  t.tm_wday >= 1 && t.tm_wday <= kFriday;
         }}}},
      {"kathmandu-daily",
       "Asia/Kathmandu",
       Misfire::kLast,
       milliseconds(0),
       {{"@daily", false, [](const tm& t) { return t.tm_hour == 0 && t.tm_min == 0; }},
        {"45 5 13 * fri",
         false,
         [](const tm& t) {
           return t.tm_min == 45 && t.tm_hour == 5 && (t.tm_mday == 13 || t.tm_wday == kFriday);
         }}}},
      {"utc-every",
       "UTC",
       Misfire::kNone,
       seconds(20),
       {{"@every 135m", false, nullptr, minutes(135)}}},
      {"utc-every-last",
       "UTC",
       Misfire::kLast,
       milliseconds(0),
       {{"@every 5h", false, nullptr, minutes(300)}}},
  };
}

}  // namespace

const std::vector<CronJobSpec>& cron_jobs() {
  static const std::vector<CronJobSpec> kJobs = [] {
    std::vector<CronJobSpec> all;
    for (const auto& some : {new_york(), berlin(), lord_howe(), without_summer_time()}) {
      all.insert(all.end(), some.begin(), some.end());
    }
    return all;
  }();
  return kJobs;
}

}  // namespace edged::soak
