#!/usr/bin/env python3
"""A worker in Python: answers every message with what `work` makes of it. Make it yours there."""

import json
import os
import signal
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import grpc

from yggdrasil import Data, Dispatcher, RegistrationRequest, serve_worker


def work(content):
    """Takes the content of a message and gives that of its answer, both bytes (JSON as a rule)."""
    return content


HANDLER = sys.argv[1] if len(sys.argv) > 1 else "python"
# Full, or not there at the moment: the same answer is sent again.
AGAIN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)

dispatcher = Dispatcher(os.environ["YGG_SOCKET_ADDR"])
# How many messages are worked on at a time.
hands = ThreadPoolExecutor(max_workers=4)


def answer(message, content, metadata):
    response = Data(
        message_id=str(uuid.uuid4()),
        response_to=message.message_id,
        directive=message.directive,
        metadata=metadata,
        content=content,
    )
    while True:
        try:
            dispatcher.send(response, timeout=60)
            return
        except grpc.RpcError as error:
            if error.code() not in AGAIN:
                print(f"no answer to {message.message_id}: {error.details()}", file=sys.stderr, flush=True)
                return
        time.sleep(1)


def handle(message):
    try:
        answer(message, work(message.content), message.metadata)
    except Exception as error:  # Whoever asked is told.
        report = {"error": {"code": type(error).__name__, "message": str(error)}}
        answer(message, json.dumps(report).encode(), {"status": "failed", "reason": type(error).__name__})


def main():
    request = RegistrationRequest(handler=HANDLER, pid=os.getpid(), features={"language": "python"})
    granted = dispatcher.register(request, timeout=10)
    if not granted.registered:
        sys.exit(f"could not register: {HANDLER} is taken.")
    # Returning from the call accepts the message; the work is done afterwards.
    server = serve_worker(
        granted.address, lambda message: hands.submit(handle, message), ThreadPoolExecutor(max_workers=2)
    )
    terminated = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: terminated.set())
    terminated.wait()
    server.stop(grace=1).wait()
    hands.shutdown(wait=True)


main()
