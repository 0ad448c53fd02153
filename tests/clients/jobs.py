"""Jobs with RQ and Celery: each must be done once. Arguments: `rq PORT` or `celery PORT`. Run by tests/clients.rs; prints "ok"."""

import os
import signal
import subprocess
import sys
import time

PORT = int(os.environ.get("JOBS_PORT") or sys.argv[2])
URL = "redis://127.0.0.1:%d/0" % PORT
JOBS = 200

import redis

server = redis.Redis(port=PORT)


def count(number):
    """The job: counts how often it was done."""
    server.incr("done:%d" % number)
    return number * 2


try:
    import celery

    app = celery.Celery("jobs", broker=URL, backend=URL)
    app.conf.update(worker_prefetch_multiplier=4, task_acks_late=True, result_expires=600)
    work = app.task(name="jobs.work")(count)
except ImportError:
    app = None


def check(results):
    assert sorted(results) == [number * 2 for number in range(JOBS)], "results are missing"
    done = server.mget(["done:%d" % number for number in range(JOBS)])
    assert done == [b"1"] * JOBS, "some jobs were not done once: %r" % done


def workers(words, count_of_workers):
    environment = dict(os.environ, JOBS_PORT=str(PORT), PYTHONPATH=os.path.dirname(os.path.abspath(__file__)))
    return [
        subprocess.Popen([sys.executable, "-m", *words], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        for _ in range(count_of_workers)
    ]


def with_rq():
    import rq

    import jobs

    queue = rq.Queue("jobs", connection=server)
    queued = [queue.enqueue(jobs.count, number) for number in range(JOBS)]
    words = ["rq.cli", "worker", "--burst", "--url", URL, "--worker-class", "rq.worker.SimpleWorker", "jobs"]
    for worker in workers(words, 3):
        assert worker.wait(timeout=100) == 0, "a worker failed"
    check([job.return_value(refresh=True) for job in queued])


def with_celery():
    running = workers(["celery", "-A", "jobs", "worker", "--pool", "threads", "-c", "4"], 2)
    try:
        import jobs

        sent = [jobs.work.delay(number) for number in range(JOBS)]
        check([result.get(timeout=100) for result in sent])
        # The workers answer over publish/subscribe.
        deadline = time.monotonic() + 30
        while len(jobs.app.control.ping(timeout=0.5)) < 2:
            assert time.monotonic() < deadline, "the workers do not answer"
    finally:
        for worker in running:
            worker.send_signal(signal.SIGTERM)
        for worker in running:
            worker.wait(timeout=60)


if __name__ == "__main__":
    {"rq": with_rq, "celery": with_celery}[sys.argv[1]]()
    print("ok")
