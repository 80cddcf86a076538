"""
tests/bench/bench_server.py
    A server of our own with scans and a model, for what is timed in SQL.

    server = Server("resnet18", n_scans=40, settings=["fsync=on"], keep=False)
    session = server.connect()
    session.run("SELECT count(*) FROM scans")   # "40"
    server.end()      # it is removed, or kept for the next who asks for it

The table scans has generated pictures of 512 x 512 pixels (bench_make), and
the model of the same name is trained for an epoch on four of them: what it
says is worth nothing, and takes as long as what a better one says.
"""

import os
import subprocess
import time

FOLDER = "build/bench/server"
TEACHERS = {"resnet18": "builtin"}  # others are drawn by bench_make
OPTIONS = ('{"epochs": 1, "batch_size": 2, "bn_epochs": 1, "teacher": "%s", '
           '"precision": "%s"}')


class Session:
    """psql, kept open: one connection to the server."""

    MARK = "--end--"

    def __init__(self, environment):
        self.process = subprocess.Popen(
            ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True)

    def run(self, sql):
        """Run statements; what they returned, fields separated by |."""
        self.process.stdin.write(f"{sql};\n\\echo {self.MARK}\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line.rstrip("\n") == self.MARK:
                return "\n".join(lines)
            lines.append(line.rstrip("\n"))
        raise SystemExit(f"the server's session ended at: {sql}")

    def ms(self, sql):
        """How long that takes, as the client sees it."""
        begun = time.monotonic()
        self.run(sql)
        return (time.monotonic() - begun) * 1e3

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def tool(*arguments, **options):
    return subprocess.run(arguments, check=True, stdout=subprocess.PIPE,
                          **options).stdout


def scans_file(n):
    """Made once: it takes half a second a scan."""
    path = f"build/bench/scans_{n}.copy"
    if not os.path.exists(path):
        with open(path + ".part", "wb") as file:
            subprocess.run(["build/bench/bench_make", "scans", str(n)],
                           check=True, stdout=file)
        os.rename(path + ".part", path)
    return path


class Server:
    def __init__(self, arch, n_scans, settings=(), threads=2,
                 precision="float32", keep=False):
        self.keep = keep
        self.what = f"{arch} {n_scans} {precision} {list(settings)}"
        there = os.path.exists(f"{FOLDER}/data/postmaster.pid")
        if not there:
            tool("scripts/cluster", "start", FOLDER, "shared_buffers=512MB",
                 "max_wal_size=4GB", "autovacuum=off", *settings)
        self.environment = dict(os.environ)
        for line in tool("scripts/cluster", "env", FOLDER,
                         text=True).splitlines():
            for word in line.removeprefix("export ").split():
                name, value = word.split("=", 1)
                value = value.replace('"$PATH"', os.environ["PATH"])
                self.environment[name] = value.replace("'", "")
        self.environment["PGOPTIONS"] = (
            f"-c client_min_messages=error -c mmrd.threads={threads}")
        try:
            if there:
                self.check()
            else:
                self.fill(arch, n_scans, precision)
        except BaseException:
            self.remove()
            raise

    def connect(self):
        return Session(self.environment)

    def check(self):
        session = self.connect()
        found = session.run("SELECT what FROM about")
        session.close()
        if found != self.what:
            raise SystemExit(f"the server that was kept is for {found}, not "
                             f"for {self.what}: it is removed, run it again")

    def fill(self, arch, n_scans, precision):
        session = self.connect()
        session.run("CREATE EXTENSION IF NOT EXISTS mmrd;"
                    "SET mmrd.progress = off;"
                    "CREATE TABLE scans (id integer, rgb bytea, aux bytea);"
                    "ALTER TABLE scans ALTER rgb SET STORAGE external,"
                    "    ALTER aux SET STORAGE external")
        with open(scans_file(n_scans), "rb") as rows:
            subprocess.run(["psql", "-X", "-q", "-c", "COPY scans FROM STDIN"],
                           env=self.environment, stdin=rows, check=True)
        teacher = TEACHERS.get(arch, arch)
        if teacher == arch:
            path = f"build/bench/{arch}.safetensors"
            with open(path, "wb") as file:
                file.write(tool("build/bench/bench_make", "teacher", arch))
            tool("build/mmrd-load", "--quiet", f"--teacher={arch}={path}",
                 env=self.environment)
            os.remove(path)
        session.run("SELECT mmrd_train('scans', filter => 'id < 4', "
                    "validation => 'id BETWEEN 4 AND 7', options => "
                    f"'{OPTIONS % (teacher, precision)}')")
        session.run("CREATE TABLE about AS SELECT $$%s$$ AS what" % self.what)
        session.close()

    def end(self):
        if not self.keep:
            self.remove()

    def remove(self):
        tool("scripts/cluster", "remove", FOLDER)
