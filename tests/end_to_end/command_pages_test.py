# SPDX-License-Identifier: Apache-2.0
"""The man pages and completions that edged and kvctl write of themselves: every command and option of
--help is in each of them, bash completes with its script, and man finds nothing wrong with the page."""

import re
import shutil
import subprocess
import unittest

from programs_case import ProgramsCase

PROGRAMS = ("edged", "kvctl")


class CommandPagesTest(ProgramsCase):
    def setUp(self):
        super().setUp()
        self.pages = self.directory / "pages"
        for program in PROGRAMS:
            result = self.run_program(program, "--write-pages", self.pages)
            self.assertEqual((result.returncode, result.stdout, result.stderr), (0, b"", b""))

    def text_of(self, name):
        return (self.pages / name).read_text(encoding="utf-8")

    def help_of(self, program, *path):
        result = self.run_program(program, *path, "--help")
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout.decode()

    def commands_of(self, program, *path):
        """Every command below PATH with the options that its --help shows, by asking --help alone."""
        text = self.help_of(program, *path)
        yield path, set(re.findall(r"^  (?:-\w,)?(--[\w-]+)", text, re.M))
        if "\nSubcommands:\n" not in text:
            return
        for name in re.findall(r"^  ([a-z][\w-]*)", text.split("\nSubcommands:\n")[1].split("\n\n")[0], re.M):
            yield from self.commands_of(program, *path, name)

    def complete(self, program, line):
        """What bash offers for the last word of LINE."""
        script = 'source "$1"; COMP_WORDS=("${@:2}"); COMP_CWORD=$(($# - 2)); _%s; printf "%%s\\n" "${COMPREPLY[@]}"' % program
        done = subprocess.run(["bash", "--norc", "-c", script, "bash", self.pages / (program + ".bash"), *line],
                              cwd=self.directory, capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return set(done.stdout.split())

    def test_every_command_and_option_of_help_is_in_the_man_page(self):
        for program in PROGRAMS:
            page = self.text_of(program + ".1").replace("\\-", "-")
            sections = dict(re.findall(r'^\.SS "%s ([a-z][a-z -]*?) \[.*?"\n(.*?)(?=^\.S[SH] )' % program, page, re.M | re.S))
            for path, options in self.commands_of(program):
                text = page if not path else sections.get(" ".join(path))
                self.assertIsNotNone(text, path)
                for option in options - {"--help"}:
                    self.assertRegex(text, r"(?m)^\\fB(-\w, )?%s\\fR" % option, path)

    def test_bash_offers_every_command_and_option_of_help(self):
        for program in PROGRAMS:
            known = dict(self.commands_of(program))
            for path, options in known.items():
                below = {one[-1] for one in known if len(one) == len(path) + 1 and one[:len(path)] == path}
                if below:
                    self.assertEqual(self.complete(program, [program, *path, ""]), below)
                self.assertLessEqual(options, self.complete(program, [program, *path, "--"]), path)

    def test_zsh_knows_every_command_and_option_of_help(self):
        for program in PROGRAMS:
            text = self.text_of("_" + program)
            self.assertTrue(text.startswith("#compdef %s\n" % program))
            functions = dict(re.findall(r"^(_%s\w*(?:-\w+)*)\(\) \{\n(.*?)^\}" % program, text, re.M | re.S))
            for path, options in self.commands_of(program):
                function = functions["_" + "__".join((program, *path))]
                for option in options:
                    self.assertRegex(function, r"'\*?%s[=\[]" % option, path)

    def test_bash_completes_values_by_their_kind(self):
        (self.directory / "site.jsonc").touch()
        (self.directory / "store").mkdir()
        for line, offered in (
                (["edged", "node", "--durability", ""], {"wal", "sync"}),
                (["edged", "node", "--durability", "=", "s"], {"sync"}),
                (["edged", "node", "--durability", "="], {"wal", "sync"}),
                (["edged", "health", "--for", ""], {"node", "worker", "serve"}),
                (["edged", "node", "-c", "si"], {"site.jsonc"}),
                (["edged", "serve", "--data", "st"], {"store"}),
                (["edged", "node", "--listen", ""], set()),
                (["edged", "node", "--config", "mirror", "--durability", "w"], {"wal"}),
                (["kvctl", "--addr", "get", "inspe"], {"inspect"}),
                (["kvctl", "--config", "=", "a", "inspe"], {"inspect"}),
                (["kvctl", "get", "--ad"], {"--addr"}),
                (["kvctl", "put", "--path", "si"], {"site.jsonc"}),
                (["edged", "nosuch", "chec"], {"check-config"}),
                (["edged", "mirror", "sta"], {"status"})):
            self.assertEqual(self.complete(line[0], line), offered, line)

    def test_bash_and_zsh_take_the_scripts(self):
        for program in PROGRAMS:
            subprocess.run(["bash", "-n", self.pages / (program + ".bash")], check=True, timeout=60)
            if shutil.which("zsh"):
                subprocess.run(["zsh", "-n", self.pages / ("_" + program)], check=True, timeout=60)

    @unittest.skipUnless(shutil.which("groff"), "groff is not installed")
    def test_groff_warns_of_nothing_in_the_man_pages(self):
        for program in PROGRAMS:
            done = subprocess.run(["groff", "-man", "-Tutf8", "-K", "utf8", "-ww", "-rCHECKSTYLE=1",
                                   self.pages / (program + ".1")], capture_output=True, timeout=60)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            self.assertIn(program, done.stdout.decode())

    def test_a_directory_that_cannot_be_made_is_an_error(self):
        (self.directory / "file").touch()
        result = self.run_program("edged", "--write-pages", self.directory / "file/pages")
        self.assertFails(result, 1, "edged: could not create")

    def test_help_does_not_show_the_switch_of_the_build(self):
        self.assertNotIn("write-pages", self.help_of("edged") + self.text_of("edged.1"))


if __name__ == "__main__":
    unittest.main()
