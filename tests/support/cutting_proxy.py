"""An HTTP proxy on loopback that cuts answers in the middle, as a bad network does."""

import contextlib
import http.client
import http.server
import threading


class CuttingProxy:
    """Passes requests on to a server; cuts the bodies of the next answers to GET.

    Attributes:
        cuts: How many further answers to cut.
        reads: How many answers with a body of a file were asked for.
        address: `host:port`.
    """

    def __init__(self, host, port):
        self.cuts = self.reads = 0
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                connection = http.client.HTTPConnection(host, port, timeout=10)
                headers = {k: v for k, v in self.headers.items() if k != "Connection"}
                body = self.rfile.read(length)
                connection.request(self.command, self.path, body, headers)
                answer = connection.getresponse()
                content = answer.read()
                connection.close()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name not in ("Connection", "Transfer-Encoding"):
                        self.send_header(name, value)
                self.end_headers()
                is_file = self.command == "GET" and "?" not in self.path
                proxy.reads += is_file
                if is_file and proxy.cuts > 0:
                    proxy.cuts -= 1
                    self.wfile.write(content[: len(content) // 2])
                    self.close_connection = True
                elif self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_HEAD = do_PUT = do_POST = answer  # noqa: N815

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        with contextlib.suppress(OSError):
            self._server.server_close()
