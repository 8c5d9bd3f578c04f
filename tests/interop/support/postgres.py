"""A PostgreSQL of the test program's own, on a free loopback port, that can be killed and started
again. As root it runs as the user `nobody`, since the server refuses to be root."""
import atexit
import csv
import glob
import io
import os
import pwd
import shutil
import signal
import subprocess
import tempfile

from .children import spawn
from .waiting import DEADLINE_S, free_port, wait_for


def folder_of_programs():
    """Where Debian, or the PATH, has initdb and postgres; None: nowhere."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"))
    if found:
        return os.path.dirname(found[-1])
    path = shutil.which("postgres")
    return os.path.dirname(os.path.realpath(path)) if path else None


class _Server:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="dunlin-postgres-")
        self.data = os.path.join(self.folder, "data")
        self.programs = folder_of_programs()
        self.user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        self.process = None
        self.port = free_port()
        if self.user:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self._run("initdb", "-D", self.data, "-U", "dunlin", "--auth=trust", "--no-sync",
                  "--encoding=UTF8", "--locale=C")

    def _environment(self):
        return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": self.folder, "LC_ALL": "C"}

    def _identity(self):
        if not self.user:
            return {}
        return {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}

    def _run(self, program, *arguments):
        run = subprocess.run([os.path.join(self.programs, program), *arguments], text=True,
                             cwd=self.folder, env=self._environment(), stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, check=False, **self._identity())
        assert run.returncode == 0, run.stdout

    def url(self, database="postgres"):
        return f"postgresql://dunlin@127.0.0.1:{self.port}/{database}"

    def start(self):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = spawn(
                [os.path.join(self.programs, "postgres"), "-D", self.data, "-p", str(self.port),
                 "-k", self.folder, "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=20",
                 "-c", "shared_buffers=32MB"],
                cwd=self.folder, env=self._environment(), stdout=log, stderr=log,
                **self._identity())
        wait_for(lambda: self.process.poll() is not None or self._answers(), self.log)
        assert self.process.poll() is None, self.log()
        return self

    def _answers(self):
        return subprocess.run(["psql", self.url(), "-qc", "SELECT 1"], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False).returncode == 0

    def log(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as stream:
            return stream.read()

    def _end(self, how):
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(DEADLINE_S)
            self.process = None

    def kill(self):
        """As a power cut would: SIGQUIT ends all of its processes at once, without a checkpoint."""
        self._end(signal.SIGQUIT)

    def close(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Postgres:
    """An empty database of the one server, which is made when the first of them is asked for."""
    server = None
    made = 0

    def __init__(self):
        if Postgres.server is None:
            Postgres.server = _Server()
            atexit.register(Postgres.server.close)
            Postgres.server.start()
        Postgres.made += 1
        self.url = self.server.url("postgres")
        self.query(f"CREATE DATABASE test{Postgres.made}")
        self.url = self.server.url(f"test{Postgres.made}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.server.process is None:
            self.server.start()

    def start(self):
        self.server.start()

    def kill(self):
        self.server.kill()

    def query(self, sql):
        """The rows, as lists of text."""
        run = subprocess.run(["psql", self.url, "-qt", "--csv", "-c", sql], text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
        return list(csv.reader(io.StringIO(run.stdout, newline="")))
