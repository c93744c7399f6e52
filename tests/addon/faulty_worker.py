# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker that misbehaves on order, and then serves as if nothing had been.

Arguments: the fault, a file that is there as long as it is to misbehave, and the head file that it
hands out as its result. Speaks the protocol with its own hands.
"""

import json
import os
import shutil
import signal
import sys
import threading
import time

fault, order, head = sys.argv[1:4]
if not os.path.exists(order):
    fault = ""
lock = threading.Lock()


def raw(data):
    with lock:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


def say(**message):
    raw(json.dumps(message).encode() + b"\n")


def beat():
    while True:
        time.sleep(0.1)
        say(type="heartbeat")


def end_with(number):
    os.kill(os.getpid(), number)
    time.sleep(600)


def result(job, out, **changes):
    target = os.path.join(out, "head-0.npz")
    shutil.copyfile(head, target)
    fields = {"heads": [target], "seconds": 0.0, "warnings": [], **changes}
    say(type="result", id=job, **fields)


def misbehave(job, out):
    if fault == "exits in the job":
        os._exit(3)
    elif fault == "killed in the job":
        end_with(signal.SIGKILL)
    elif fault == "crashes in the job":
        end_with(signal.SIGSEGV)
    elif fault == "exits while it writes":
        with open(head, "rb") as source, open(os.path.join(out, "head-0.npz"), "wb") as target:
            target.write(source.read(5000))
        say(type="progress", id=job, stage="Writing files", fraction=0.95)
        os._exit(1)
    elif fault == "half a frame":
        raw(b'{"type": "result", "id": "')
        os._exit(0)
    elif fault == "garbage":
        raw(os.urandom(3000) + b"\n")
    elif fault == "a gigabyte on one line":
        for _ in range(1 << 14):
            raw(b"x" * (1 << 16))
    elif fault == "a line without end in the log":
        for _ in range(1 << 10):
            os.write(2, b"x" * (1 << 16))
        result(job, out)
    elif fault == "messages without end":
        while True:
            say(type="progress", id=job, stage="Working", fraction=0.5)
    elif fault == "silent in the job":
        lock.acquire()
        time.sleep(600)
    elif fault == "stopped in the job":
        end_with(signal.SIGSTOP)
    elif fault in ("hangs but breathes", "stuck in the job"):
        time.sleep(600)
    elif fault == "slow":
        for k in range(20):
            time.sleep(0.1)
            say(type="progress", id=job, stage="Working", fraction=k / 20)
        result(job, out)
    elif fault == "progress without a number":
        say(type="progress", id=job, stage="Working", fraction="much")
    elif fault == "progress of no size":
        raw(b'{"type": "progress", "id": "%s", "stage": "W", "fraction": 1%s}\n'
            % (job.encode(), b"0" * 400))  # fmt: skip
        result(job, out)
    elif fault == "no heads":
        result(job, out, heads=[])
    elif fault == "heads of another kind":
        result(job, out, heads=7)
    elif fault == "a head elsewhere":
        result(job, out, heads=[head])
    elif fault == "warnings of another kind":
        result(job, out, warnings=5)
    elif fault == "no such file":
        result(job, out, heads=[os.path.join(out, "head-9.npz")])
    elif fault == "a novel for a sentence":
        say(type="error", id=job, code="fit", message="line\nafter line. " * 5000)
    else:
        result(job, out)


if fault == "exits at start":
    sys.exit(3)
if fault == "killed at start":
    end_with(signal.SIGKILL)
if fault == "hangs at start":
    time.sleep(600)
if fault == "says why at start":
    say(type="error", id=None, code="worker", message="The open head is missing: reinstall.")
    sys.exit(2)
if fault == "no hello":
    say(type="progress", id="job-1", stage="Working", fraction=0.5)
if fault == "closed ears":
    os.close(0)
say(type="hello", protocol=999 if fault == "other protocol" else 1, version="0", pid=os.getpid())
threading.Thread(target=beat, daemon=True).start()
if fault == "closed ears":
    time.sleep(600)
for line in sys.stdin:
    message = json.loads(line)
    if message["type"] == "bye":
        say(type="bye")
        break
    if message["type"] == "job" and message["kind"] == "reconstruct":
        job, out = message["id"], message["params"]["out"]
        say(type="progress", id=job, stage="Working", fraction=0.25)
        if os.path.exists(order):
            misbehave(job, out)
        else:
            result(job, out)
    elif message["type"] == "job":
        say(type="result", id=message["id"])
