# SPDX-License-Identifier: Apache-2.0
"""What the programs create and find on disk is their user's alone, whatever the umask."""

import os
import stat
import unittest

from programs_case import ProgramsCase

WITH_UMASK = ("sh", "-c", 'umask "$0"; exec "$@"')


class PermissionsTest(ProgramsCase):
    def open_to_others(self, directory):
        """Path and mode of everything that group or others may open."""
        found = {}
        paths = [directory] + [path for path in directory.rglob("*") if not path.is_symlink()]
        for path in paths:
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & 0o077 and not path.is_socket():
                found[str(path)] = oct(mode)
        return found

    def stop(self, node):
        node.terminate()
        self.assertEqual(node.wait(30), 0, self.log())

    def test_whatever_the_umask_a_node_creates_private_files(self):
        for mask in ("0", "022", "077"):
            with self.subTest(umask=mask):
                data = self.directory / ("deep-" + mask) / "data"
                node = self.start_node(data=data, wrap=(*WITH_UMASK, mask))
                self.kvctl("token", "create", "x", "--scope", "read")
                self.kvctl("put", "k", "v")
                self.assertEqual(self.open_to_others(data.parent), {})
                self.assertEqual(stat.S_IMODE((data / "kv.sock").stat().st_mode), 0o660)
                self.assertTrue(list((data / "db").iterdir()))
                self.stop(node)

    def test_what_exists_is_tightened_with_a_line_in_the_log(self):
        self.stop(self.start_node())
        for path in [self.data, *self.data.rglob("*")]:
            path.chmod(0o777 if path.is_dir() else 0o666)
        self.start_node()
        self.assertEqual(self.open_to_others(self.data), {})
        self.assertIn('took the rights of other users away from directory "%s": its mode was 0777 and is now 0700'
                      % self.data, self.log())

    def test_a_link_to_the_data_directory_is_followed(self):
        real = self.directory / "real"
        real.mkdir(mode=0o755)
        self.data.symlink_to(real)
        self.start_node()
        self.assertEqual(self.open_to_others(real), {})

    def test_a_shared_directory_is_left_to_its_other_users(self):
        self.data.mkdir()
        self.data.chmod(0o1777)
        self.start_node(wrap=(*WITH_UMASK, "0"))
        self.assertEqual(self.open_to_others(self.data), {str(self.data): "0o1777"})
        self.assertIn("could not close directory", self.log())

    def test_a_workers_files_are_private(self):
        state = self.directory / "state"
        mails = state / "maildir" / "new"
        mails.mkdir(parents=True)
        (mails / "mail").write_text("to a student")
        for path in (state, state / "maildir", mails, mails / "mail"):
            path.chmod(0o777)
        self.start_worker(state, wrap=(*WITH_UMASK, "0"))
        self.wait_until(lambda: (state / "maildir" / "cur").exists(), "the maildir")
        self.assertEqual(self.open_to_others(state), {})
        self.assertIn('took the rights of other users away from directory "%s"' % state, self.log())

    def test_tokens_made_offline_are_private(self):
        result = self.run_program("kvctl", "token", "--data", self.data, "create", "x", "--scope", "read")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.open_to_others(self.data), {})

    @unittest.skipUnless(os.geteuid() == 0, "needs root to make a file of another user")
    def test_another_users_tokens_are_refused(self):
        self.run_program("kvctl", "token", "--data", self.data, "create", "x", "--scope", "admin")
        os.chown(self.data / "tokens.json", 65534, 65534)
        self.assertFails(self.edged("node", "--data", self.data, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"),
                         2, "tokens.json", "belongs to another user (uid 65534)")


if __name__ == "__main__":
    unittest.main()
