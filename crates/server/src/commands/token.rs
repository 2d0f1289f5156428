//! `donjon token create`, `list` and `revoke`.

use std::io::Write;

use anyhow::Context;
use donjon_app::Policy;

use super::ask;
use crate::{
    admin::{NewTokenRequest, Request, Response, TokenView},
    cli, duration,
    exit::{Exit, Failure, OrExit},
};

/// Asks the running server, or works on the folder where there is none.
///
/// # Errors
/// [`Exit::Other`] where the request makes no sense; else as the folder, its
/// root key or storage says.
pub(crate) fn token(verb: &cli::Token) -> Result<Exit, Failure> {
    let place = match verb {
        cli::Token::Create(create) => &create.place,
        cli::Token::List(place) => place,
        cli::Token::Revoke(revoke) => &revoke.place,
    };
    let settings = ask::load(place)?;
    // No rule decides about tokens, so a bad policy file is no obstacle.
    let policy = || Ok(Policy::new(settings.policy.defaults));
    let answer = ask::ask(&settings, || request(verb), policy)?;
    let text = match answer {
        Response::TokenCreated { token, id } => {
            writeln!(
                std::io::stderr(),
                "token {id}; it is shown this once, keep it:"
            )
            .or_exit(Exit::Other)?;
            return ask::print(token.expose());
        }
        Response::TokenRevoked {} => "revoked".to_owned(),
        Response::Tokens { tokens } => table(&tokens),
        other => return Err(ask::failure(other)),
    };
    ask::print(&text)
}

fn request(verb: &cli::Token) -> Result<Request, Failure> {
    Ok(match verb {
        cli::Token::Create(create) => Request::Create(NewTokenRequest {
            project: create.project.clone(),
            user: create.user.clone(),
            roles: create.roles.clone(),
            expires_s: create
                .expires
                .as_deref()
                .map(duration::parse_seconds)
                .transpose()
                .context("--expires")
                .or_exit(Exit::Config)?,
        }),
        cli::Token::List(_) => Request::List {},
        cli::Token::Revoke(revoke) => Request::Revoke {
            id: revoke.id.clone(),
        },
    })
}

fn table(tokens: &[TokenView]) -> String {
    let head = ["ID", "PROJECT", "USER", "ROLES", "EXPIRES", "LAST USE"].map(str::to_owned);
    let mut rows = vec![head];
    rows.extend(tokens.iter().map(|token| {
        [
            token.id.clone(),
            token.project.clone(),
            token.user.clone(),
            token.roles.join(","),
            token.expires.clone().unwrap_or_else(|| "never".to_owned()),
            token
                .last_used
                .clone()
                .unwrap_or_else(|| "never".to_owned()),
        ]
    }));
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_aligned_columns() {
        let view = |project: &str, expires: Option<&str>| TokenView {
            id: "id".to_owned(),
            project: project.to_owned(),
            user: "u".to_owned(),
            roles: vec!["member".to_owned(), "reader".to_owned()],
            expires: expires.map(str::to_owned),
            last_used: None,
        };
        let text = table(&[
            view("p", None),
            view("project", Some("2100-01-01T00:00:00Z")),
        ]);
        let expected = "\
ID  PROJECT  USER  ROLES          EXPIRES               LAST USE
id  p        u     member,reader  never                 never
id  project  u     member,reader  2100-01-01T00:00:00Z  never";
        assert_eq!(text, expected);
    }

    #[test]
    fn no_tokens_are_a_head() {
        assert_eq!(table(&[]), "ID  PROJECT  USER  ROLES  EXPIRES  LAST USE");
    }
}
