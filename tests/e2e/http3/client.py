"""One connection of HTTP/3: client.py PORT CA [CERTIFICATE KEY], the requests as JSON in the standard input.

A request is {"path", "headers", "body", "trailers"}; with body or trailers it is a POST, its body a list of texts that are sent one by
one. Prints {"answers": [{"status", "body"}], "tickets"}:
fewer answers than requests if the connection ends before.
"""

import asyncio
import json
import sys

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated

PATIENCE = 10  # seconds


def fields(pairs):
    return [(name.encode(), value.encode()) for name, value in pairs]


class Client(QuicConnectionProtocol):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.http = H3Connection(self._quic)
        self.answers = {}

    def quic_event_received(self, event):
        if isinstance(event, ConnectionTerminated):
            for answer in self.answers.values():
                if not answer["whole"].done():
                    answer["whole"].set_exception(ConnectionError(event.reason_phrase))
            return
        for part in self.http.handle_event(event):
            if not isinstance(part, (HeadersReceived, DataReceived)):
                continue
            answer = self.answers[part.stream_id]
            if isinstance(part, DataReceived):
                answer["body"] += part.data
            else:
                answer["status"] = int(dict(part.headers)[b":status"])
            if part.stream_ended and not answer["whole"].done():
                answer["whole"].set_result(None)

    async def ask(self, request):
        stream = self._quic.get_next_available_stream_id()
        whole = asyncio.get_running_loop().create_future()
        answer = self.answers[stream] = {"status": None, "body": b"", "whole": whole}
        trailers = fields(request.get("trailers", []))
        body = request.get("body", ["body"] if trailers else [])
        head = [(":method", "POST" if body else "GET"), (":scheme", "https"), (":authority", "localhost")]
        head = fields(head + [(":path", request["path"])] + request.get("headers", []))
        self.http.send_headers(stream, head, end_stream=not body)
        for place, piece in enumerate(body, 1):
            self.http.send_data(stream, piece.encode(), end_stream=place == len(body) and not trailers)
            self.transmit()
        if trailers:
            self.http.send_headers(stream, trailers, end_stream=True)
        self.transmit()
        await asyncio.wait_for(whole, PATIENCE)
        return {"status": answer["status"], "body": answer["body"].decode()}


async def converse(port, authority, certificate, requests):
    configuration = QuicConfiguration(is_client=True, alpn_protocols=["h3"], server_name="localhost")
    configuration.load_verify_locations(authority)
    if certificate:
        configuration.load_cert_chain(*certificate)
    answers, tickets = [], []
    try:
        opened = connect(
            "127.0.0.1", port, configuration=configuration, create_protocol=Client, session_ticket_handler=tickets.append
        )
        async with opened as client:
            for request in requests:
                answers.append(await client.ask(request))
    except (ConnectionError, asyncio.TimeoutError):
        pass
    return {"answers": answers, "tickets": len(tickets)}


def main():
    port, authority, *certificate = sys.argv[1:]
    requests = json.load(sys.stdin)
    said = asyncio.run(asyncio.wait_for(converse(int(port), authority, certificate, requests), 3 * PATIENCE))
    print(json.dumps(said))


main()
