// Jobs with BullMQ and its own scripts: plain ones, delayed, with priorities, failing once, and parents that wait for their
// children in another queue. Argument: the server's port. Run by tests/clients.rs; prints "ok" when every job was done once.

import assert from "node:assert/strict";
import { FlowProducer, Queue, QueueEvents, Worker } from "bullmq";
import { Redis } from "ioredis";

const port = Number(process.argv[2]);
const connection = () => new Redis({ port, maxRetriesPerRequest: null });
const done = new Map();
const count = (id) => done.set(id, (done.get(id) ?? 0) + 1);
let errors = 0;

const queue = new Queue("jobs", { connection: connection() });
const events = new QueueEvents("jobs", { connection: connection() });
await events.waitUntilReady();
let completed = 0;
events.on("completed", () => completed++);

const work = async (job) => {
  if (job.data.failsOnce && job.attemptsMade === 0) throw new Error("once");
  count(`job ${job.id}`);
  return job.data.number * 2;
};
const workers = Array.from({ length: 4 }, () => new Worker("jobs", work, { connection: connection(), concurrency: 8 }));
const child = async (job) => count(`child ${job.id}`);
workers.push(new Worker("children", child, { connection: connection(), concurrency: 4 }));
for (const worker of workers) {
  worker.on("error", (error) => {
    errors++;
    console.error(error.message);
  });
}

const single = 400;
for (let number = 0; number < single; number++) {
  const options = { removeOnComplete: number % 3 === 0, attempts: 3 };
  if (number % 5 === 0) options.delay = 50 + number;
  if (number % 7 === 0) options.priority = 1 + (number % 10);
  if (number % 11 === 0) options.lifo = true;
  await queue.add("job", { number, failsOnce: number % 13 === 0 }, options);
}
await queue.addBulk(Array.from({ length: 100 }, (_, number) => ({ name: "bulk", data: { number } })));
const flow = new FlowProducer({ connection: connection() });
for (let number = 0; number < 40; number++) {
  const children = [0, 1, 2].map((data) => ({ name: "child", queueName: "children", data: { data } }));
  await flow.add({ name: "parent", queueName: "jobs", data: { number }, children });
}

const wanted = single + 100 + 40 + 120;
const deadline = Date.now() + 60_000;
while ((done.size < wanted || completed < wanted - 120) && Date.now() < deadline) {
  await new Promise((resolve) => setTimeout(resolve, 20));
}
assert.equal(done.size, wanted);
assert.deepEqual([...done].filter(([, times]) => times !== 1), []);
assert.equal(errors, 0);
const left = await queue.getJobCounts("active", "delayed", "failed", "prioritized", "waiting", "waiting-children");
assert.deepEqual(Object.values(left).filter((number) => number > 0), []);
assert.equal((await queue.getWorkers()).length, 4);
await Promise.all([...workers, queue, events, flow].map((each) => each.close()));
console.log("ok");
process.exit(0);
