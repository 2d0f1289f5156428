"""The server of the standard library, with a thread for each connection."""

import socketserver
import wsgiref.simple_server


class Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True
    request_queue_size = 128


class Handler(wsgiref.simple_server.WSGIRequestHandler):
    def address_string(self):
        # No reverse look-up for a line of the log.
        return self.client_address[0]
