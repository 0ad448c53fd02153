// A small real program with ioredis: sessions, a queue, a leaderboard, a rate limiter. Argument: the server's port.
// Run by tests/clients.rs; prints "ok" and ends with code 0 when everything is as it must be.

import assert from "node:assert/strict";
import { Redis } from "ioredis";

const port = Number(process.argv[2]);
const server = new Redis(port);

// Sessions: a hash with a time to live.
await server.hset("session:1", { user: "ann", cart: "3" });
await server.expire("session:1", 100);
assert.deepEqual({ ...(await server.hgetall("session:1")) }, { user: "ann", cart: "3" });
assert.ok((await server.ttl("session:1")) > 0);
assert.equal(await server.hincrby("session:1", "cart", 2), 5);

// A queue: a worker waits, jobs come in order, none is lost.
const worker = new Redis(port);
const done = [];
const working = (async () => {
  for (;;) {
    const job = await worker.blmove("jobs", "running", "LEFT", "RIGHT", 10);
    if (job === "stop") return;
    done.push(job);
    await worker.lrem("running", 1, job);
  }
})();
const jobs = Array.from({ length: 100 }, (_, number) => `job ${number}`);
for (const job of [...jobs, "stop"]) await server.rpush("jobs", job);
await working;
assert.deepEqual(done, jobs);
assert.deepEqual(await server.lrange("running", 0, -1), ["stop"]);

// A leaderboard.
const pipeline = server.pipeline();
for (let number = 0; number < 50; number++) pipeline.zadd("board", number * 1.5, `player ${number}`);
await pipeline.exec();
assert.deepEqual((await server.zrange("board", 0, 1, "REV")), ["player 49", "player 48"]);
assert.equal(await server.zrevrank("board", "player 40"), 9);
assert.equal(Number(await server.zincrby("board", 1000, "player 7")), 1010.5);

// A rate limiter: at most five in a window, counted in a transaction.
let allowed = 0;
for (let attempt = 0; attempt < 8; attempt++) {
  const [[, count]] = await server.multi().incr("rate:ann").expire("rate:ann", 60, "NX").exec();
  if (count <= 5) allowed++;
}
assert.equal(allowed, 5);

// Optimistic locking.
const other = new Redis(port);
await server.watch("stock");
await other.set("stock", "1");
assert.equal(await server.multi().set("stock", "2").exec(), null);
assert.equal(await server.get("stock"), "1");

console.log("ok");
for (const client of [server, worker, other]) client.disconnect();
