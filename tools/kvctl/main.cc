// SPDX-License-Identifier: Apache-2.0
// kvctl: the table of its commands and the flags they share. docs/kvctl.md is the contract.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "tools/edged/exit_code.h"
#include "tools/edged/parse_error.h"
#include "tools/kvctl/commands.h"

int main(int argc, char** argv) {
  int exit_code = edged::kExitDone;
  edged::kvctl::Context context;
  CLI::App program("kvctl: look into a running edged node", "kvctl");
  program.set_version_flag("--version", "kvctl " EDGED_VERSION);
  program.require_subcommand(1);
  program.add_option("--addr", context.address, "The node: unix:PATH, HOST:PORT or tls:HOST:PORT")
      ->envname("EDGED_ADDR");
  program.add_option("-c,--config", context.config, "Where to look for the node's data directory")
      ->envname("EDGED_CONFIG");
  program.add_option(
      "--token-file", context.token_file, "File with the token to show (else EDGED_TOKEN)");
  program
      .add_option("--tls-ca",
                  context.tls_ca,
                  "PEM file of who may vouch for a tls: node (default: the system's)")
      ->envname("EDGED_TLS_CA");
  program.add_option("--ns", context.ns, "Namespace, by id or title (default: the only one)");
  program.add_flag("--json", context.json, "Machine output, as docs/kvctl.md promises it");
  program.footer(
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
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return edged::report_parse_error(program, error);
  }
  if (std::fflush(stdout) != 0 && exit_code == edged::kExitDone) {
    std::fprintf(stderr, "kvctl: could not write the output\n");
    return edged::kExitFailed;
  }
  return exit_code;
}
