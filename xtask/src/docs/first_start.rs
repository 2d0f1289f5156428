//! The curl lines that the server prints at its first start: run as printed, they store, read, list and delete a secret.

use std::net::TcpListener;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::shell::Shell;

/// What a curl line does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Store,
    Read,
    List,
    Delete,
}

/// # Errors
/// A kind of line is lacking, a line fails, or its answer is not what it promises.
pub(crate) fn check(binary: &Path) -> Result<()> {
    let mut shell = Shell::new(binary)?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let written = shell.serve(&format!("donjon serve --listen 127.0.0.1:{port}"))?;
    ensure!(
        !written.contains(&token(&shell)?),
        "the first token is printed"
    );
    let lines = curl_lines(&written);
    println!("first start prints {} curl lines", lines.len());
    let mut seen = Vec::new();
    let mut payload = None;
    for line in &lines {
        println!("  {line}");
        let kind = kind(line);
        let output = shell
            .run(line)
            .with_context(|| format!("the printed line {line}"))?;
        match kind {
            Kind::Store => payload = Some(stored_payload(line)?),
            Kind::Read => {
                let expected = payload
                    .as_deref()
                    .context("a secret is read before one is stored")?;
                ensure!(
                    output.trim_end() == expected,
                    "{line}\nanswered {output:?}, not {expected:?}"
                );
            }
            Kind::List => ensure!(
                output.contains("secret_ref"),
                "{line}\nlists nothing: {output:?}"
            ),
            Kind::Delete => ensure!(!output.contains("\"code\""), "{line}\nanswered {output:?}"),
        }
        seen.push(kind);
    }
    for wanted in [Kind::Store, Kind::Read, Kind::List, Kind::Delete] {
        ensure!(
            seen.contains(&wanted),
            "no printed curl line shows how to {wanted:?}:\n{written}"
        );
    }
    let left = shell.run(&format!(
        "curl -fsS -H \"X-Auth-Token: $(cat donjon-data/first-token)\" http://127.0.0.1:{port}/v1/secrets"
    ))?;
    ensure!(
        left.replace(' ', "").contains("\"total\":0"),
        "a secret is left after the delete: {left}"
    );
    shell.stop_servers()
}

fn token(shell: &Shell) -> Result<String> {
    let file = shell.folder().join("donjon-data/first-token");
    let text =
        std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    Ok(text.trim().to_owned())
}

/// Indented lines that begin with `curl`, or that set a variable from one; a backslash at the end joins the next.
fn curl_lines(written: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in written.lines() {
        let text = line.trim_start();
        let indented = text.len() < line.len();
        let starts = indented && (text.starts_with("curl ") || is_assignment(text));
        match lines.last_mut() {
            Some(last) if goes_on => {
                last.push('\n');
                last.push_str(text);
            }
            _ if starts => lines.push(text.to_owned()),
            _ => continue,
        }
        goes_on = text.ends_with('\\');
    }
    lines
}

/// `NAME=$(curl ...`.
fn is_assignment(text: &str) -> bool {
    let Some((name, value)) = text.split_once('=') else {
        return false;
    };
    !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && value.contains("$(curl ")
}

fn kind(line: &str) -> Kind {
    let has = |words: &[&str]| words.iter().any(|word| line.contains(word));
    if has(&["DELETE"]) {
        Kind::Delete
    } else if has(&[" -d ", " --data", " --json", "POST"]) {
        Kind::Store
    } else if has(&["/payload"]) {
        Kind::Read
    } else {
        Kind::List
    }
}

/// The value of `"payload"` in the JSON of a store line.
fn stored_payload(line: &str) -> Result<String> {
    let (_, rest) = line
        .split_once("\"payload\"")
        .with_context(|| format!("no payload in {line}"))?;
    match rest.split('"').nth(1) {
        Some(payload) => Ok(payload.to_owned()),
        None => bail!("no payload in {line}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_printed_lines() {
        let written = "listening\n  curl -d '{\"payload\": \"x\"}' a\n  REF=$(curl b \\\n    c)\ncurl d\n  text\n";
        let lines = curl_lines(written);
        assert_eq!(
            lines,
            ["curl -d '{\"payload\": \"x\"}' a", "REF=$(curl b \\\nc)"]
        );
        assert_eq!(stored_payload(&lines[0]).unwrap(), "x");
    }

    #[test]
    fn tells_the_kinds() {
        assert_eq!(kind("curl -X DELETE $REF"), Kind::Delete);
        assert_eq!(kind("curl -d '{}' http://a/v1/secrets"), Kind::Store);
        assert_eq!(kind("curl $REF/payload"), Kind::Read);
        assert_eq!(kind("curl http://a/v1/secrets"), Kind::List);
    }
}
