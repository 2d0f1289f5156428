//! Cross-origin requests of browsers (CORS): which pages of other servers may
//! read answers. Off unless an origin is allowed.
//!
//! # Source
//! The Fetch standard, 3.3; oslo.middleware's `cors`, whose options have the
//! same names.

use http::{
    HeaderMap, HeaderValue, Method, Response,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS,
        ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
        ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD,
        ORIGIN, VARY,
    },
    request::Parts,
};

/// What the operator decides about requests from pages of other servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorsConfig {
    /// Origins such as `https://ui.example.org`, compared as they are; `*` is
    /// everybody. None is off.
    pub allowed_origin: Vec<String>,
    /// Whether browsers may send cookies and the like. Has no effect on `*`,
    /// which would let every page act for its reader.
    pub allow_credentials: bool,
    /// For how many seconds a browser may remember; 0 leaves it to the browser.
    pub max_age_s: u64,
    /// Methods that may be used.
    pub allow_methods: Vec<String>,
    /// Headers that may be sent, beside those that always may.
    pub allow_headers: Vec<String>,
    /// Headers of answers that may be read.
    pub expose_headers: Vec<String>,
}

/// The origin of a request, if it is allowed.
struct Allowed<'a> {
    /// As the answer names it.
    origin: &'a HeaderValue,
    is_wildcard: bool,
}

impl CorsConfig {
    /// Says in the headers of an answer what its page may do with it.
    pub(crate) fn decorate<B>(&self, head: &Parts, response: &mut Response<B>) {
        if self.allowed_origin.is_empty() {
            return;
        }
        let headers = response.headers_mut();
        vary_by_origin(headers);
        let Some(allowed) = self.allowed(&head.headers) else {
            return;
        };
        if head.method != Method::OPTIONS {
            self.admit(&allowed, headers);
            set_list(headers, ACCESS_CONTROL_EXPOSE_HEADERS, &self.expose_headers);
            return;
        }
        let Some((method, asked)) = self.permitted(&head.headers) else {
            return;
        };
        self.admit(&allowed, headers);
        if self.max_age_s > 0 {
            headers.insert(ACCESS_CONTROL_MAX_AGE, self.max_age_s.into());
        }
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, method.clone());
        set_list(headers, ACCESS_CONTROL_ALLOW_HEADERS, &asked);
    }

    fn allowed<'a>(&self, headers: &'a HeaderMap) -> Option<Allowed<'a>> {
        let origin = headers.get(ORIGIN)?;
        let is_listed = |wanted: &[u8]| {
            let mut listed = self.allowed_origin.iter();
            listed.any(|allowed| allowed.as_bytes() == wanted)
        };
        if origin.as_bytes() != b"*" && is_listed(origin.as_bytes()) {
            return Some(Allowed {
                origin,
                is_wildcard: false,
            });
        }
        is_listed(b"*").then_some(Allowed {
            origin,
            is_wildcard: true,
        })
    }

    /// The method and the headers that a preflight asks for, if all may be used.
    fn permitted<'a>(&self, headers: &'a HeaderMap) -> Option<(&'a HeaderValue, Vec<&'a str>)> {
        let method = headers.get(ACCESS_CONTROL_REQUEST_METHOD)?;
        let mut methods = self.allow_methods.iter();
        if !methods.any(|allowed| allowed.as_bytes() == method.as_bytes()) {
            return None;
        }
        let asked = match headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            Some(asked) => asked.to_str().ok()?,
            None => "",
        };
        let asked: Vec<&str> = asked
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .collect();
        let may_be_sent = |name: &&str| {
            let configured = self.allow_headers.iter().map(String::as_str);
            let mut all = configured.chain(SIMPLE_HEADERS);
            all.any(|allowed| allowed.eq_ignore_ascii_case(name))
        };
        asked.iter().all(may_be_sent).then_some((method, asked))
    }

    fn admit(&self, allowed: &Allowed<'_>, headers: &mut HeaderMap) {
        if allowed.is_wildcard {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            return;
        }
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed.origin.clone());
        if self.allow_credentials {
            let yes = HeaderValue::from_static("true");
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
    }
}

impl Default for CorsConfig {
    /// Off; all else as Barbican has it.
    fn default() -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            allowed_origin: Vec::new(),
            allow_credentials: true,
            max_age_s: 3_600,
            allow_methods: owned(&["GET", "PUT", "POST", "DELETE", "PATCH"]),
            allow_headers: owned(&BARBICAN_HEADERS),
            expose_headers: owned(&BARBICAN_HEADERS),
        }
    }
}

/// A cache must not show one origin what was meant for another.
fn vary_by_origin(headers: &mut HeaderMap) {
    let others = headers.get(VARY).and_then(|value| value.to_str().ok());
    let vary = match others {
        Some(others) => format!("{others}, Origin"),
        None => "Origin".to_owned(),
    };
    if let Ok(vary) = HeaderValue::from_str(&vary) {
        headers.insert(VARY, vary);
    }
}

fn set_list(headers: &mut HeaderMap, name: http::HeaderName, items: &[impl AsRef<str>]) {
    let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    if let Ok(value) = HeaderValue::from_str(&items.join(","))
        && !items.is_empty()
    {
        headers.insert(name, value);
    }
}

/// Barbican's defaults for both lists.
const BARBICAN_HEADERS: [&str; 10] = [
    "X-Auth-Token",
    "X-Openstack-Request-Id",
    "X-Project-Id",
    "X-Identity-Status",
    "X-User-Id",
    "X-Storage-Token",
    "X-Domain-Id",
    "X-User-Domain-Id",
    "X-Project-Domain-Id",
    "X-Roles",
];

/// What every page may send, as oslo.middleware has it.
const SIMPLE_HEADERS: [&str; 8] = [
    "Accept",
    "Accept-Language",
    "Content-Type",
    "Cache-Control",
    "Content-Language",
    "Expires",
    "Last-Modified",
    "Pragma",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn config(origins: &[&str]) -> CorsConfig {
        CorsConfig {
            allowed_origin: origins.iter().map(|&origin| origin.into()).collect(),
            ..CorsConfig::default()
        }
    }

    fn answer(config: &CorsConfig, method: &str, sent: &[(&str, &str)]) -> HeaderMap {
        let mut request = http::Request::builder().method(method).uri("/v1/secrets");
        for (name, value) in sent {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        let mut response = Response::new(());
        response
            .headers_mut()
            .insert(VARY, HeaderValue::from_static("openstack-api-version"));
        config.decorate(&head, &mut response);
        response.headers().clone()
    }

    fn value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
        headers.get(name).map(|value| value.to_str().unwrap())
    }

    const UI: (&str, &str) = ("origin", "https://ui.example.org");
    const ALLOW_ORIGIN: &str = "access-control-allow-origin";
    const CREDENTIALS: &str = "access-control-allow-credentials";

    #[test]
    fn off_says_nothing() {
        let headers = answer(&config(&[]), "GET", &[UI]);
        assert_eq!(headers.len(), 1);
        assert_eq!(value(&headers, "vary"), Some("openstack-api-version"));
    }

    #[test]
    fn only_allowed_origins_are_answered() {
        let config = config(&[UI.1]);
        let headers = answer(&config, "GET", &[UI]);
        assert_eq!(value(&headers, ALLOW_ORIGIN), Some(UI.1));
        assert_eq!(value(&headers, CREDENTIALS), Some("true"));
        let exposed = value(&headers, "access-control-expose-headers").unwrap();
        assert!(exposed.contains("X-Openstack-Request-Id"), "{exposed}");
        for origin in [
            "https://evil.example.org",
            "https://ui.example.org.evil",
            "http://ui.example.org",
            "null",
            "*",
        ] {
            let headers = answer(&config, "GET", &[("origin", origin)]);
            assert_eq!(value(&headers, ALLOW_ORIGIN), None, "{origin}");
            let vary = value(&headers, "vary");
            assert_eq!(vary, Some("openstack-api-version, Origin"));
        }
        assert_eq!(value(&answer(&config, "GET", &[]), ALLOW_ORIGIN), None);
    }

    #[test]
    fn everybody_never_gets_credentials() {
        for origins in [&["*"][..], &["https://other.example.org", "*"]] {
            for origin in [UI.1, "null", "*"] {
                let headers = answer(&config(origins), "GET", &[("origin", origin)]);
                assert_eq!(value(&headers, ALLOW_ORIGIN), Some("*"));
                assert_eq!(value(&headers, CREDENTIALS), None);
            }
        }
    }

    #[test]
    fn a_preflight_is_answered_for_what_may_be_used() {
        let config = config(&[UI.1]);
        let ask = |method: &str, names: &str| {
            let asked = [
                UI,
                ("access-control-request-method", method),
                ("access-control-request-headers", names),
            ];
            answer(&config, "OPTIONS", &asked)
        };
        let headers = ask("DELETE", "x-auth-token, Content-Type");
        assert_eq!(value(&headers, ALLOW_ORIGIN), Some(UI.1));
        assert_eq!(
            value(&headers, "access-control-allow-methods"),
            Some("DELETE")
        );
        assert_eq!(
            value(&headers, "access-control-allow-headers"),
            Some("x-auth-token,Content-Type")
        );
        assert_eq!(value(&headers, "access-control-max-age"), Some("3600"));
        assert_eq!(value(&headers, "access-control-expose-headers"), None);
        for (method, names) in [("TRACE", ""), ("delete", ""), ("GET", "x-evil")] {
            assert_eq!(value(&ask(method, names), ALLOW_ORIGIN), None);
        }
        let simple = ask("GET", "");
        assert_eq!(value(&simple, ALLOW_ORIGIN), Some(UI.1));
        assert_eq!(value(&simple, "access-control-allow-headers"), None);
        // Without a method it is no preflight.
        assert_eq!(
            value(&answer(&config, "OPTIONS", &[UI]), ALLOW_ORIGIN),
            None
        );
    }
}
