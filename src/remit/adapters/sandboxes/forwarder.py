"""Runs inside a sandbox: a TCP port on its loopback whose connections are copied to the egress broker's socket.

It is a script of its own, with the standard library only, because the sandbox shows nothing of remit. It decides
nothing: the broker outside does. The first process returns once the port listens; the second one serves until
the namespace ends. A program that kills it has cut itself off, no more.
"""

from __future__ import annotations

import os
import selectors
import socket  # noqa: TID251 - inside the sandbox, where there is no egress but the broker's socket
from typing import Final

PORT: Final = 3128
SOCKET: Final = "/run/remit/egress.sock"
MAX_PAIRS: Final = 64
MAX_HELD_BYTES: Final = 256 * 1024
_PIECE: Final = 65536


class End:
    """One side of a connection: what is to be written to it, and who is on the other side."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.peer: End = self
        self.out = bytearray()
        self.ended = False  # nothing more comes from it
        self.shut = False  # its peer's end was passed on to it
        sock.setblocking(False)


class Forwarder:
    """Copies between pairs of connections, with bounded memory."""

    def __init__(self, server: socket.socket) -> None:
        self.server = server
        self.selector = selectors.DefaultSelector()
        self.selector.register(server, selectors.EVENT_READ)
        self.pairs = 0

    def serve(self) -> None:
        """For ever."""
        while True:
            for key, events in self.selector.select():
                if key.data is None:
                    self.accept()
                else:
                    self.turn(key.data, events)

    def accept(self) -> None:
        """Pair a new connection with one to the broker."""
        inner, _ = self.server.accept()
        outer = socket.socket(socket.AF_UNIX)
        try:
            if self.pairs >= MAX_PAIRS:
                raise BlockingIOError
            outer.connect(SOCKET)
        except OSError:
            inner.close()
            outer.close()
            return
        a, b = End(inner), End(outer)
        a.peer, b.peer = b, a
        for end in (a, b):
            self.selector.register(end.sock, selectors.EVENT_READ, end)
        self.pairs += 1

    def turn(self, end: End, events: int) -> None:
        """Read from and write to one side."""
        if end.sock.fileno() < 0:
            return  # closed by its peer's turn in the same round
        try:
            if events & selectors.EVENT_READ and not end.ended:
                data = end.sock.recv(_PIECE)
                end.ended = not data
                end.peer.out += data
                self.write(end.peer)
            if events & selectors.EVENT_WRITE:
                self.write(end)
        except BlockingIOError:
            pass  # it was not ready after all
        except OSError:
            self.close(end)
            return
        if end.shut and end.peer.shut:
            self.close(end)
            return
        self.watch(end)
        self.watch(end.peer)

    def write(self, end: End) -> None:
        """Write what is held for one side, and pass its peer's end on."""
        if end.out:
            try:
                del end.out[: end.sock.send(end.out[:_PIECE])]
            except BlockingIOError:
                return
        if not end.out and end.peer.ended and not end.shut:
            end.shut = True
            end.sock.shutdown(socket.SHUT_WR)

    def watch(self, end: End) -> None:
        """Wait for what this side can do next; nothing is read while its peer holds much."""
        events = 0
        if not end.ended and len(end.peer.out) < MAX_HELD_BYTES:
            events |= selectors.EVENT_READ
        if end.out:
            events |= selectors.EVENT_WRITE
        registered = end.sock in self.selector.get_map()
        if not events:
            if registered:
                self.selector.unregister(end.sock)
        elif registered:
            self.selector.modify(end.sock, events, end)
        else:
            self.selector.register(end.sock, events, end)

    def close(self, end: End) -> None:
        """Close both sides."""
        for side in (end, end.peer):
            if side.sock.fileno() >= 0:
                if side.sock in self.selector.get_map():
                    self.selector.unregister(side.sock)
                side.sock.close()
        self.pairs -= 1


def main() -> None:
    """Listen, then serve in a process of its own."""
    server = socket.create_server(("127.0.0.1", PORT), backlog=64)
    if os.fork() == 0:
        os.setsid()
        Forwarder(server).serve()
    os._exit(0)


if __name__ == "__main__":
    main()
