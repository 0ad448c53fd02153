#!/usr/bin/env python3
"""CPU time per transaction and per script call: Ringfort (release build, one shard) beside redis-server, interleaved.

    benches/transactions.py RINGFORT [ROUNDS]

Both servers run at once on CPU 0, the load on CPU 1: 16 connections, 16 requests at a time on each. What is compared is the
servers' own CPU time (user and system, /proc/PID/stat), medians over the rounds. redis-benchmark cannot send MULTI.
"""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time

CONNECTIONS, PIPELINE, TURNS = 16, 16, 400
SCRIPT = "return redis.call('GET', KEYS[1])"


def encode(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in map(str.encode, words))


def key(number):
    return "key:%06d" % (number * 7919 % 100000)


def transaction(number):
    return encode("MULTI") + encode("SET", key(number), "x" * 64) + encode("GET", key(number)) + encode("EXEC")


def connect(path):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    return connection


def ask(connection, request, reply_bytes):
    connection.sendall(request)
    got = 0
    while got < reply_bytes:
        got += len(connection.recv(1 << 20))


def reply_length(connection, request):
    connection.sendall(request + encode("ECHO", "the end"))
    reply = b""
    while not reply.endswith(b"the end\r\n"):
        reply += connection.recv(1 << 20)
    return len(reply) - len(b"$7\r\nthe end\r\n")


def ticks(process):
    with open("/proc/%d/stat" % process.pid) as file:
        words = file.read().rsplit(") ", 1)[1].split()
    return int(words[11]) + int(words[12])


def measure(process, path, requests):
    connections = [connect(path) for _ in range(CONNECTIONS)]
    lengths = [reply_length(connections[0], request) for request in requests]
    begun = ticks(process)
    for turn in range(TURNS):
        at = turn % len(requests)
        for connection in connections:
            connection.sendall(requests[at])
        for connection in connections:
            ask(connection, b"", lengths[at])
    spent = ticks(process) - begun
    for connection in connections:
        connection.close()
    return spent * 1e6 / os.sysconf("SC_CLK_TCK") / (TURNS * CONNECTIONS * PIPELINE)


def main():
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    folder = tempfile.mkdtemp()
    commands = {"ringfort": [sys.argv[1], "--shards", "1"], "redis": ["redis-server"]}
    servers = {}
    for name, command in commands.items():
        path = os.path.join(folder, name + ".sock")
        words = ["taskset", "-c", "0", *command, "--port", "0", "--unixsocket", path, "--save", "", "--dir", folder]
        servers[name] = (subprocess.Popen(words, stdout=subprocess.DEVNULL), path)
    os.sched_setaffinity(0, {1})
    digest = {}
    for name, (process, path) in servers.items():
        for _ in range(1000):
            try:
                connection = connect(path)
                break
            except OSError:
                time.sleep(0.01)
        fill = b"".join(encode("SET", key(number), "x" * 64) for number in range(20000))
        ask(connection, fill, 5 * 20000)
        connection.sendall(encode("SCRIPT", "LOAD", SCRIPT))
        digest[name] = connection.recv(100).split(b"\r\n")[1].decode()
        connection.close()

    def batches(make):
        return [b"".join(make(batch * PIPELINE + number) for number in range(PIPELINE)) for batch in range(50)]

    tests = {
        "MULTI SET GET EXEC": batches(transaction),
        "EVAL of one GET": batches(lambda number: encode("EVAL", SCRIPT, "1", key(number))),
        "EVALSHA of one GET": batches(lambda number: encode("EVALSHA", digest["redis"], "1", key(number))),
    }
    print("| 16 connections, pipeline 16, CPU µs each | " + " | ".join(servers) + " | ratio |")
    print("|---|---|---|---|")
    for test, requests in tests.items():
        figures = {name: [] for name in servers}
        for round_number in range(rounds + 1):
            for name, (process, path) in servers.items():
                figure = measure(process, path, requests)
                if round_number > 0:
                    figures[name].append(figure)
        medians = [statistics.median(figures[name]) for name in servers]
        ratio = statistics.median(one / other for one, other in zip(figures["ringfort"], figures["redis"]))
        print("| %s | %.2f | %.2f | %.2f |" % (test, *medians, ratio))
    for process, _ in servers.values():
        process.terminate()
        process.wait()


main()
