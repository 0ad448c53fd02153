"""A small real program with redis-py: sessions, a queue, a leaderboard, a rate limiter. Argument: the server's port.

Run by tests/clients.rs; prints "ok" and ends with code 0 when everything is as it must be.
"""

import sys
import threading

import redis

server = redis.Redis(port=int(sys.argv[1]), decode_responses=True)

# Sessions: a hash with a time to live.
server.hset("session:1", mapping={"user": "ann", "cart": "3"})
server.expire("session:1", 100)
assert server.hgetall("session:1") == {"user": "ann", "cart": "3"}
assert 0 < server.ttl("session:1") <= 100
assert server.hincrby("session:1", "cart", 2) == 5

# A queue: a worker waits, jobs come in order, none is lost.
done = []


def work():
    worker = redis.Redis(port=int(sys.argv[1]), decode_responses=True)
    while (job := worker.blmove("jobs", "running", 10, "LEFT", "RIGHT")) != "stop":
        done.append(job)
        worker.lrem("running", 1, job)


thread = threading.Thread(target=work)
thread.start()
for number in range(100):
    server.rpush("jobs", f"job {number}")
server.rpush("jobs", "stop")
thread.join(20)
assert done == [f"job {number}" for number in range(100)], done
assert server.lrange("running", 0, -1) == ["stop"]

# A leaderboard.
with server.pipeline() as pipeline:
    for number in range(50):
        pipeline.zadd("board", {f"player {number}": number * 1.5})
    pipeline.execute()
assert server.zrange("board", 0, 1, desc=True, withscores=True) in (
    [("player 49", 73.5), ("player 48", 72.0)],
    [["player 49", 73.5], ["player 48", 72.0]],
)
assert server.zrevrank("board", "player 40") == 9
assert server.zincrby("board", 1000, "player 7") == 1010.5

# A rate limiter: at most five in a window, counted in a transaction.
allowed = 0
for _ in range(8):
    with server.pipeline(transaction=True) as pipeline:
        pipeline.incr("rate:ann")
        pipeline.expire("rate:ann", 60, nx=True)
        count, _ = pipeline.execute()
    allowed += count <= 5
assert allowed == 5

# Optimistic locking.
with server.pipeline() as pipeline:
    pipeline.watch("stock")
    server.set("stock", 1)
    pipeline.multi()
    pipeline.set("stock", 2)
    try:
        pipeline.execute()
        raise AssertionError("the key had changed")
    except redis.WatchError:
        pass
assert server.get("stock") == "1"
assert [key for key in server.scan_iter("session:*")] == ["session:1"]
print("ok")
