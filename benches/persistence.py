#!/usr/bin/env python3
"""Persistence beside redis-server: appendfsync, SAVE, BGSAVE under writes, and loading.

    benches/persistence.py RINGFORT [KEYS [FOLDER]]

One server at a time, the two in turn, both on CPU 0 with one shard, the load (redis-benchmark) on CPU 1. Files lie in FOLDER
(a new one under /tmp by default). Three rounds; medians.
"""

import csv
import io
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 3


def encode(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in map(str.encode, words))


class Server:
    def __init__(self, command, folder, *options):
        self.path = os.path.join(folder, "server.sock")
        words = ["taskset", "-c", "0", *command, "--port", "0", "--unixsocket", self.path, "--dir", folder, "--save", ""]
        self.process = subprocess.Popen(words + list(options), stdout=subprocess.DEVNULL)
        begun = time.monotonic()
        self.connection = None
        while self.ask("PING") != b"+PONG\r\n":
            time.sleep(0.005)
        self.start_s = time.monotonic() - begun

    def ask(self, *words):
        try:
            if self.connection is None:
                connection = socket.socket(socket.AF_UNIX)
                connection.connect(self.path)
                self.connection = connection
            self.connection.sendall(encode(*words))
            return self.connection.recv(1 << 16)
        except OSError:
            self.connection = None
            return b""

    def info(self, field):
        for line in self.ask("INFO", "everything").split(b"\r\n"):
            if line.startswith(field.encode() + b":"):
                return line.split(b":")[1].decode()
        return ""

    def rss(self):
        with open("/proc/%d/statm" % self.process.pid) as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def stop(self):
        self.process.kill()
        self.process.wait()


def benchmark(server, *options):
    words = ["taskset", "-c", "1", "redis-benchmark", "-s", server.path, "--csv", "-d", "32", "-t", "set", *options]
    rows = list(csv.DictReader(io.StringIO(subprocess.run(words, capture_output=True, text=True, check=True).stdout)))
    return float(rows[0]["rps"]), float(rows[0]["max_latency_ms"])


def round_of(command, folder, keys, figures):
    def note(name, value):
        figures.setdefault(name, []).append(value)

    for policy, requests, options in (("always", 20000, ["-c", "50"]), ("everysec", 1000000, ["-c", "50", "-P", "16"])):
        server = Server(command, folder, "--appendonly", "yes", "--appendfsync", policy)
        note("appendfsync %s, SET/s" % policy, benchmark(server, "-n", str(requests), "-r", "100000", *options)[0])
        server.stop()
        shutil.rmtree(os.path.join(folder, "appendonlydir"), ignore_errors=True)
    server = Server(command, folder)
    benchmark(server, "-n", str(keys * 2), "-r", str(keys), "-P", "64")
    begun = time.monotonic()
    server.ask("SAVE")
    note("SAVE, s", time.monotonic() - begun)
    before = server.rss()
    load = subprocess.Popen(
        ["taskset", "-c", "1", "redis-benchmark", "-s", server.path, "-q", "-d", "32", "-t", "set", "-n", "100000000", "-r", str(keys), "-P", "16"],
        stdout=subprocess.DEVNULL,
    )
    begun, most = time.monotonic(), 0
    server.ask("BGSAVE")
    while server.info("rdb_bgsave_in_progress") != "0":
        children = 0
        for child in subprocess.run(["pgrep", "-P", str(server.process.pid)], capture_output=True, text=True).stdout.split():
            try:
                with open("/proc/%s/smaps_rollup" % child) as file:
                    children += sum(int(line.split()[1]) * 1024 for line in file if line.startswith("Private"))
            except OSError:
                pass  # It has ended meanwhile.
        most = max(most, server.rss() + children - before)
        time.sleep(0.02)
    note("BGSAVE under writes, s", time.monotonic() - begun)
    note("memory it took, % of the server's", 100 * most / before)
    load.kill()
    load.wait()
    server.stop()
    server = Server(command, folder)
    note("start with the file, s", server.start_s)
    server.stop()
    os.remove(os.path.join(folder, "dump.rdb"))


def main():
    keys = int(sys.argv[2]) if len(sys.argv) > 2 else 2000000
    folder = sys.argv[3] if len(sys.argv) > 3 else tempfile.mkdtemp()
    commands = {"ringfort": [sys.argv[1], "--shards", "1"], "redis": ["redis-server"]}
    figures = {name: {} for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            round_of(command, folder, keys, figures[name])
    print("| %d keys, values of 32 bytes | ringfort | redis | ratio |" % keys)
    print("|---|---|---|---|")
    for name in figures["redis"]:
        one, other = (statistics.median(figures[server][name]) for server in commands)
        print("| %s | %.4g | %.4g | %.2f |" % (name, one, other, one / other))


main()
