"""Where tasks on other nodes knock: a port on this machine that only they can open."""

import contextlib
import queue
import secrets
import socket
import threading
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, answer_challenge, deliver_challenge

from studies.running.ray_node import Arrival, tune


class Bell:
    """Wakes a thread that waits for connections, from any other thread."""

    def __init__(self) -> None:
        self._hear, self._rope = socket.socketpair()
        self._hear.setblocking(False)
        self._rope.setblocking(False)

    def fileno(self) -> int:
        """Return what to wait for."""
        return self._hear.fileno()

    def ring(self) -> None:
        """Wake the one who waits; a bell that rings already rings no louder."""
        with contextlib.suppress(OSError):  # full, or taken away
            self._rope.send(b"!")

    def quiet(self) -> None:
        """Stop ringing."""
        with contextlib.suppress(BlockingIOError):
            while self._hear.recv(4096):
                pass

    def close(self) -> None:
        """Take the bell away."""
        self._rope.close()
        self._hear.close()


class Door:
    """Takes connections in the background; who comes in has proved to know the key."""

    def __init__(self, ip: str, bell: Bell) -> None:
        self.key = secrets.token_bytes(32)
        self._bell = bell
        self._arrivals: queue.SimpleQueue[tuple[Connection, Arrival]] = queue.SimpleQueue()
        self._socket = socket.create_server((ip, 0))
        self.address: tuple[str, int] = self._socket.getsockname()[:2]
        threading.Thread(target=self._open, daemon=True, name="door").start()

    def arrived(self) -> list[tuple[Connection, Arrival]]:
        """Return who came in since the last call."""
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._arrivals.get_nowait())
        return found

    def close(self) -> None:
        """Let nobody in any more."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._socket.close()

    def _open(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                guest, _ = self._socket.accept()
                greet = threading.Thread(target=self._greet, args=(guest,), daemon=True)
                greet.start()  # a thread each: a guest that says nothing holds up no other

    def _greet(self, guest: socket.socket) -> None:
        connection = Connection(guest.detach())
        try:
            tune(connection)
            deliver_challenge(connection, self.key)
            answer_challenge(connection, self.key)
            arrival = connection.recv()
        except (AuthenticationError, EOFError, OSError):
            connection.close()
            return
        self._arrivals.put((connection, arrival))
        self._bell.ring()
