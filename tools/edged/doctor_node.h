// SPDX-License-Identifier: Apache-2.0
// The checks of a node: its machine, tokens, certificate, who can reach it, and whether it answers.
// Needs no PostgreSQL. Changes nothing. Blocks on disk and network for a few seconds; one thread.
#pragma once

#include "proto/base/clock.h"
#include "tools/edged/config.h"
#include "tools/edged/doctor_report.h"

namespace edged::doctor {

// <data_dir>/tokens.json: rights of the file, expired tokens.
void check_tokens(const config::Config& config, WallTime now, Report& report);

// The certificate of node.tls, if there is one.
void check_certificate(const config::Config& config, WallTime now, Report& report);

// Which addresses other machines can reach, and without what. Pure but for reading the tokens.
void check_exposure(const config::Config& config, Report& report);
// The same for the worker's HTTP address. Pure.
void check_worker_exposure(const config::Config& config, Report& report);

// Whether a node answers at Config::node_address() with the worker's token, and has the namespaces
// that are configured.
void check_running_node(const config::Config& config, Report& report);

// All of a node's.
void check_node(const config::Config& config, const Clock& clock, Report& report);

}  // namespace edged::doctor
