//! `donjon token create`, `list` and `revoke`.

use std::{io::Write, time::Duration};

use anyhow::{Context, anyhow};

use crate::{
    admin::{Admin, NewTokenRequest, Request, Response, TokenView, client},
    assembly::Installation,
    cli::{self, Overrides, Place},
    config::{Config, Settings},
    data_dir::{self, DataDir},
    duration,
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
    let settings = load(place)?;
    let answer = ask(&settings, || request(verb))?;
    let text = match answer {
        Response::TokenCreated { token, id } => {
            writeln!(
                std::io::stderr(),
                "token {id}; it is shown this once, keep it:"
            )
            .or_exit(Exit::Other)?;
            return print(token.expose());
        }
        Response::TokenRevoked {} => "revoked".to_owned(),
        Response::Tokens { tokens } => table(&tokens),
        Response::Refused { message } => return Err(Failure::new(Exit::Other, anyhow!(message))),
        Response::Failed { message } => return Err(Failure::new(Exit::Storage, anyhow!(message))),
    };
    print(&text)
}

fn load(place: &Place) -> Result<Settings, Failure> {
    let overrides = Overrides {
        place: place.clone(),
        ..Overrides::default()
    };
    Ok(Config::load(&overrides).or_exit(Exit::Config)?.settings)
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

/// A server that starts or stops holds the lock and does not listen; it is
/// given some time.
fn ask(
    settings: &Settings,
    request: impl Fn() -> Result<Request, Failure>,
) -> Result<Response, Failure> {
    let socket = settings.data_dir.join(data_dir::ADMIN_SOCKET);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .or_exit(Exit::Other)?;
    runtime.block_on(async {
        for attempt in 0.. {
            let answered = client::ask(&socket, &request()?).or_exit(Exit::DataFolder)?;
            if let Some(response) = answered {
                return Ok(response);
            }
            if attempt >= ATTEMPTS_MAX || !DataDir::is_in_use(&settings.data_dir) {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        work_on_the_folder(settings, request()?).await
    })
}

async fn work_on_the_folder(settings: &Settings, request: Request) -> Result<Response, Failure> {
    let mut data = DataDir::open_whole(&settings.data_dir, &settings.root_key)?;
    let installation = Installation::open(settings, &mut data).await?;
    let admin = Admin {
        tokens: installation.tokens.clone(),
        clock: installation.clock.clone(),
    };
    let response = admin.handle(request).await;
    installation.close().await?;
    Ok(response)
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

fn print(text: &str) -> Result<Exit, Failure> {
    writeln!(std::io::stdout(), "{text}").or_exit(Exit::Other)?;
    Ok(Exit::Good)
}

const ATTEMPTS_MAX: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);

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
