# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker that misbehaves as told by its argument. Speaks the protocol with its own hands."""

import json
import os
import signal
import sys
import time

mode = sys.argv[1]


def say(**message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def stubborn(number, frame):
    sys.stderr.write("not now\n")


if mode == "dies at start":
    sys.exit(3)
if mode == "silent":
    time.sleep(600)
say(type="hello", protocol=999 if mode == "other protocol" else 1, version="0", pid=os.getpid())
if mode == "stubborn":
    signal.signal(signal.SIGINT, stubborn)
for line in sys.stdin:
    message = json.loads(line)
    if message["type"] == "bye":
        say(type="bye")
        break
    if message["type"] == "cancel":
        say(type="error", id=message["id"], code="cancelled", message="Cancelled.")
    if message["type"] != "job":
        continue
    job = message["id"]
    say(type="progress", id=job, stage="Working", fraction=0.25)
    if mode == "dies in a job":
        os.kill(os.getpid(), signal.SIGKILL)
    elif mode == "garbage":
        sys.stdout.write("this is no message\n")
        sys.stdout.flush()
    elif mode == "huge line":
        sys.stdout.write("x" * (3 << 20))
        sys.stdout.flush()
        time.sleep(600)
    elif mode == "half a frame":
        sys.stdout.write('{"type": "res')
        sys.stdout.flush()
        sys.exit(0)
    elif mode in ("deaf", "stubborn"):
        while True:
            time.sleep(0.1)
    elif mode == "says no":
        say(type="error", id=job, code="no_face", message="No face was found in x.jpg: try more.")
    elif mode == "chatty":
        sys.stderr.write("noise " * 100_000 + "\n")
        sys.stderr.flush()
        say(type="unheard of", id=job)
        say(type="result", id=job, heads=[], seconds=0.0, warnings=[], more="ignored")
    elif mode == "waits":
        pass
    else:
        say(type="result", id=job, heads=["x"], seconds=0.0, warnings=[])
