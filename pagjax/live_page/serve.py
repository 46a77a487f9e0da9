"""Serves the page's folder to this machine's browsers, isolated so that threads may compute."""

from __future__ import annotations

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"


class Handler(SimpleHTTPRequestHandler):
    """Files of one folder, with the headers under which browsers share memory between threads."""

    extensions_map = {  # noqa: RUF012
        **SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
        ".js": "text/javascript",
        ".wasm": "application/wasm",
        ".onnx": "application/octet-stream",
    }

    def end_headers(self) -> None:
        """Adds the headers."""
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


def server(folder: Path, port: int = 0) -> ThreadingHTTPServer:
    """A server of the folder; port 0 is any that is free.

    Raises:
        OSError: if the port is taken.
    """
    return ThreadingHTTPServer((HOST, port), partial(Handler, directory=str(folder)))


def in_background(folder: Path) -> str:
    """Serves the folder until the process ends; gives the page's address."""
    running = server(folder)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    return f"http://{HOST}:{running.server_port}/"
