#!/usr/bin/env python3
"""Memory of servers after churn: fill, overwrite with other sizes, delete most, fill again.

    benches/churn.py KEYS NAME=COMMAND...        PORT in a command becomes a free port

Prints a row per server: CPU time per write, resident memory after each step, and what the values take by themselves.
Servers run one after the other. Used for the record of the allocators (bench-results/README.md).
"""
import os
import random
import shlex
import socket
import subprocess
import sys
import tempfile
import time

WINDOW = 512
SIZES = (16, 600)
ROUNDS = 4
KEPT = 10


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(command):
    port = free_port()
    words = shlex.split(command.replace("PORT", str(port)))
    environment = dict(os.environ)
    while "=" in words[0] and "/" not in words[0].split("=")[0]:
        name, value = words.pop(0).split("=", 1)
        environment[name] = value
    folder = tempfile.mkdtemp(prefix="churn-")
    log = open(folder + "/log", "w")
    process = subprocess.Popen(words, cwd=folder, env=environment, stdout=log, stderr=log)
    for _ in range(100):
        try:
            return process, socket.create_connection(("127.0.0.1", port))
        except OSError:
            time.sleep(0.1)
    process.kill()
    raise SystemExit("the server does not answer: " + command)


def request(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def send(stream, requests):
    """Sends requests in windows; each is answered by one line."""
    window = []
    for item in requests:
        window.append(item)
        if len(window) == WINDOW:
            exchange(stream, window)
            window = []
    exchange(stream, window)


def exchange(stream, window):
    if window:
        stream.sendall(b"".join(window))
        lines = 0
        while lines < len(window):
            lines += stream.recv(1 << 16).count(b"\n")


def resident(process):
    with open(f"/proc/{process.pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(process):
    total = 0
    for thread in os.listdir(f"/proc/{process.pid}/task"):
        with open(f"/proc/{process.pid}/task/{thread}/schedstat") as file:
            total += int(file.read().split()[0])
    return total / 1e9


def settled(process):
    time.sleep(3)
    return resident(process)


def churn(keys, command):
    rng = random.Random(7)
    filler = b"x" * SIZES[1]
    sizes = {}

    def writes(numbers):
        for number in numbers:
            sizes[number] = rng.randint(*SIZES)
            yield request(b"SET", b"key:%012d" % number, filler[: sizes[number]])

    process, stream = start(command)
    try:
        empty = settled(process)
        before = cpu_seconds(process)
        send(stream, writes(range(keys)))
        filled = settled(process)
        values_filled = sum(sizes.values())
        for _ in range(ROUNDS):
            send(stream, writes(rng.sample(range(keys), keys)))
        spent = (cpu_seconds(process) - before) / (keys * (1 + ROUNDS)) * 1e6
        churned, values_churned = settled(process), sum(sizes.values())
        gone = [number for number in range(keys) if rng.randrange(100) >= KEPT]
        send(stream, (request(b"DEL", b"key:%012d" % number) for number in gone))
        for number in gone:
            del sizes[number]
        thinned, values_thinned = settled(process), sum(sizes.values())
        send(stream, writes(gone))
        refilled, values_refilled = settled(process), sum(sizes.values())
    finally:
        process.kill()
        process.wait()
    steps = [(filled, values_filled), (churned, values_churned), (thinned, values_thinned), (refilled, values_refilled)]
    return spent, [((rss - empty) / (1 << 20), values / (1 << 20)) for rss, values in steps]


def main():
    keys = int(sys.argv[1])
    print("| | CPU µs/SET | filled MiB | overwritten MiB | after 90 % were deleted MiB | filled again MiB |")
    print("|---|---:|---:|---:|---:|---:|")
    for server in sys.argv[2:]:
        name, command = server.split("=", 1)
        spent, steps = churn(keys, command)
        cells = " | ".join(f"{rss:.0f} ({rss / values:.2f} × the values)" for rss, values in steps)
        print(f"| {name} | {spent:.2f} | {cells} |", flush=True)


main()
