//! HTTP/1.1 accept loop on hyper: TLS, timeouts, size limits, graceful drain
