// SPDX-License-Identifier: Apache-2.0
// kvctl: the table of its commands and the flags they share. docs/kvctl.md is the contract.
#include <CLI/CLI.hpp>

#include "proto/base/private_files.h"
#include "proto/base/standard_streams.h"
#include "tools/edged/exit_code.h"
#include "tools/edged/parse_error.h"
#include "tools/edged/strict_options.h"
#include "tools/edged/version.h"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/terminal.h"

namespace {

void add_shared_options(CLI::App& program, edged::kvctl::Context& context) {
  using edged::add_text;
  add_text(program,
           "--addr",
           context.address,
           "Address of the node: unix:PATH, HOST:PORT or tls:HOST:PORT. Without it kvctl tries "
           "the addresses in the configuration, then /var/lib/edged/kv.sock and 127.0.0.1:4780")
      ->type_name("ADDRESS")
      ->envname("EDGED_ADDR");
  add_text(program,
           "-c,--config",
           context.config,
           "Configuration file of edged, for the node's address and the namespace (default "
           "./edged.jsonc, then /etc/edged/edged.jsonc)")
      ->type_name("FILE")
      ->envname("EDGED_CONFIG");
  add_text(program,
           "--token-file",
           context.token_file,
           "File with the access token, for a node that wants one (default: the token in the "
           "environment variable EDGED_TOKEN)")
      ->type_name("FILE");
  add_text(program,
           "--tls-ca",
           context.tls_ca,
           "PEM file with the certificate authorities to trust for a tls: address (default: "
           "those of the system)")
      ->type_name("FILE")
      ->envname("EDGED_TLS_CA");
  add_text(program,
           "--ns",
           context.ns,
           "Namespace to work in, by id, title or binding. Default: the one in the configuration, "
           "else the only one of the node, else the one titled \"default\"")
      ->type_name("NAMESPACE");
  program.add_flag(
      "--json", context.json, "Print JSON for programs, in the shapes that docs/kvctl.md promises");
}

}  // namespace

int main(int argc, char** argv) {
  edged::prepare_standard_streams();
  edged::use_private_umask();
  edged::kvctl::protect_terminal();
  int exit_code = edged::kExitDone;
  edged::kvctl::Context context;
  CLI::App program("kvctl: read, change and inspect the data of a running edged node", "kvctl");
  program.set_version_flag("--version", edged::version_text("kvctl"));
  program.require_subcommand(1);
  add_shared_options(program, context);
  program.footer(
      "--addr, --config, --token-file, --tls-ca, --ns and --json may stand before or after the "
      "command; "
      "\"kvctl --help\" explains them. Examples: kvctl put greeting hello --ttl 1h; "
      "kvctl get greeting; kvctl list --prefix gr\n"
      "Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 not found, 4 unavailable, "
      "5 denied, 6 corrupt");
  edged::kvctl::add_namespace_commands(program, context, exit_code);
  edged::kvctl::add_entry_commands(program, context, exit_code);
  edged::kvctl::add_put_command(program, context, exit_code);
  edged::kvctl::add_change_commands(program, context, exit_code);
  edged::kvctl::add_list_command(program, context, exit_code);
  edged::kvctl::add_inspect_commands(program, context, exit_code);
  edged::kvctl::add_mirror_commands(program, context, exit_code);
  edged::kvctl::add_token_commands(program, context, exit_code);
  edged::kvctl::add_watch_command(program, context, exit_code);
  edged::kvctl::add_export_command(program, context, exit_code);
  edged::kvctl::add_import_command(program, context, exit_code);
  edged::kvctl::add_backup_commands(program, context, exit_code);
  if (const auto refused = edged::parse_command_line(program, argc, argv)) {
    return edged::finish_output("kvctl", *refused);
  }
  return edged::finish_output("kvctl", exit_code);
}
