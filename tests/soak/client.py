"""A small HTTP client on a Unix socket."""
import json
import socket


class Client:
    def __init__(self, daemon, patience=30):
        self.path, self.token, self.patience = daemon.socket, daemon.token, patience
        self.file = self.socket = None

    def text(self, method, target, body=None):
        head = f"{method} {target} HTTP/1.1\r\nHost: couic\r\nAuthorization: Bearer {self.token}\r\n"
        if body is None:
            return (head + "\r\n").encode()
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body

    def open(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(self.path)  # blocking, so that a full backlog is waited for
        self.socket.settimeout(self.patience)
        self.file = self.socket.makefile("rb", buffering=65536)

    def close(self):
        if self.file is not None:
            self.file.close()
        if self.socket is not None:
            self.socket.close()
            self.file = self.socket = None

    def request(self, method, target, body=None):
        """Status and body; a connection that broke is opened again by the next request."""
        try:
            if self.socket is None:
                self.open()
            self.socket.sendall(self.text(method, target, body))
            status = int(self.line().split()[1])
            length, closes = 0, False
            while line := self.line():
                name, _, value = line.partition(":")
                length = int(value) if name == "content-length" else length
                closes |= name == "connection" and value.strip() == "close"
            content = self.file.read(length)
            if len(content) < length:
                raise ConnectionError("the answer broke off")
        except (OSError, ValueError, IndexError):
            self.close()
            raise
        if closes:
            self.close()
        return status, content

    def line(self):
        line = self.file.readline()
        if not line:
            raise ConnectionError("the connection was closed")
        return line.rstrip(b"\r\n").decode()
