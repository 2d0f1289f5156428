use super::*;

fn run(method: &str, target: &str, headers: &[(&str, &str)]) -> Result<(), BadRequest> {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    check(&request.body(()).unwrap(), 100).map(drop)
}

fn run_path(path: &str) -> Result<(), BadRequest> {
    run("GET", path, &[("host", "a")])
}

#[test]
fn ordinary_requests_pass() {
    for path in [
        "/",
        "//v1/secrets",
        "/v1/secrets?name=%zz",
        "/a%20b",
        "/%2F%2e%2E",
        "/%7B%7D",
        "/é",
    ] {
        assert_eq!(run_path(path), Ok(()), "{path}");
    }
    assert_eq!(run("OPTIONS", "*", &[("host", "a")]), Ok(()));
    assert_eq!(run("CONNECT", "a:1", &[("host", "a:1")]), Ok(()));
    assert_eq!(run("BREW", "/", &[("host", "a")]), Ok(()));
}

#[test]
fn paths_must_decode_to_text() {
    for path in ["/%", "/%0", "/%zz", "/%+1", "/a%2"] {
        assert_eq!(run_path(path), Err(BadRequest::PathEscape), "{path}");
    }
    assert_eq!(run_path("/a%00b"), Err(BadRequest::PathNul));
    assert_eq!(run_path("/%ff"), Err(BadRequest::PathNotUtf8));
    assert_eq!(run_path("/%C3"), Err(BadRequest::PathNotUtf8));
    assert_eq!(
        run_path("/%c0%af"),
        Err(BadRequest::PathNotUtf8),
        "overlong slash"
    );
}

#[test]
fn exactly_one_host() {
    assert_eq!(run("GET", "/", &[]), Err(BadRequest::HostMissing));
    assert_eq!(
        run("GET", "/", &[("host", "a"), ("host", "a")]),
        Err(BadRequest::HostRepeated)
    );
    let mut old = Request::new(());
    *old.version_mut() = Version::HTTP_10;
    assert_eq!(check(&old, 100), Ok(Then::GoOn));
}

#[test]
fn hosts() {
    for host in [
        "a",
        "a.b-c_d",
        "127.0.0.1",
        "127.0.0.1:9311",
        "[::1]",
        "[::1]:9311",
        "a:",
        "[fe80::1%25eth0]:1",
    ] {
        assert!(is_host(host.as_bytes()), "{host}");
    }
    for host in [
        "", ":80", "a b", "a/b", "a@b", "a:b", "a:123456", "::1", "[]", "[::1", "[::1]x", "a:1:2",
        "a\\b", "a?b", "é",
    ] {
        assert!(!is_host(host.as_bytes()), "{host}");
    }
    assert_eq!(
        run("GET", "/", &[("host", "a@b")]),
        Err(BadRequest::HostInvalid)
    );
}

#[test]
fn a_target_with_a_host_must_be_ours() {
    assert_eq!(run("GET", "http://a/x", &[("host", "A")]), Ok(()));
    assert_eq!(
        run("GET", "http://a:80/x", &[("host", "a")]),
        Err(BadRequest::TargetForeign)
    );
    assert_eq!(
        run("GET", "http://u@a/x", &[("host", "a")]),
        Err(BadRequest::TargetForeign)
    );
    assert_eq!(
        run("GET", "ftp://a/x", &[("host", "a")]),
        Err(BadRequest::TargetInvalid)
    );
    assert_eq!(
        run("GET", "a", &[("host", "a")]),
        Err(BadRequest::TargetInvalid)
    );
}

#[test]
fn long_targets_are_refused() {
    let path = format!("/{}", "a".repeat(99));
    assert_eq!(run_path(&path), Ok(()));
    assert_eq!(
        run_path(&format!("{path}a")),
        Err(BadRequest::TargetTooLong)
    );
    let url = format!("http://a{path}");
    assert_eq!(
        run("GET", &url, &[("host", "a")]),
        Err(BadRequest::TargetTooLong)
    );
}

#[test]
fn transfer_encoding_is_chunked_or_nothing() {
    let with = |values: &[&str]| {
        let headers: Vec<_> = values
            .iter()
            .map(|value| ("transfer-encoding", *value))
            .collect();
        run(
            "POST",
            "/",
            &[headers.as_slice(), &[("host", "a")]].concat(),
        )
    };
    assert_eq!(with(&["chunked"]), Ok(()));
    assert_eq!(with(&["Chunked"]), Ok(()));
    for values in [
        &["identity, chunked"][..],
        &["gzip, chunked"],
        &["chunked", "chunked"],
        &["xchunked"],
        &["chunked;q=1"],
    ] {
        assert_eq!(
            with(values),
            Err(BadRequest::TransferEncoding),
            "{values:?}"
        );
    }
}

#[test]
fn requests_with_transfer_codings_end_the_connection() {
    let then = |name: &str, value: &str| {
        let request = Request::builder().header("host", "a").header(name, value);
        check(&request.body(()).unwrap(), 100)
    };
    assert_eq!(then("transfer-encoding", "chunked"), Ok(Then::Close));
    assert_eq!(then("te", "trailers"), Ok(Then::Close));
    assert_eq!(then("content-length", "0"), Ok(Then::GoOn));
}
