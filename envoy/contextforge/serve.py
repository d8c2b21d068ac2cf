"""Serves a Python application on 127.0.0.1: serve.py MODULE:APPLICATION PORT

Says `listening on 127.0.0.1:PORT` when it serves, as the other gateway of the demonstration does, and on which port
if it was to be any (0). Uvicorn alone says so in its log, which ContextForge turns off.
"""

import os
import socket
import sys

import uvicorn


class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets=sockets)
        if not self.should_exit:
            print("listening on %s:%d" % sockets[0].getsockname(), flush=True)


def main(application, port):
    listener = socket.create_server(("127.0.0.1", int(port)))
    # Where ContextForge calls itself, for a WebSocket.
    os.environ["PORT"] = str(listener.getsockname()[1])
    # It believes X-Forwarded-For of this machine: there is none but Envoy's.
    Server(uvicorn.Config(application)).run(sockets=[listener])


if __name__ == "__main__":
    main(*sys.argv[1:])
