//! An OpenBao that is none: token and KV v2 engine, as far as a secret store uses them, on a port of this machine. It
//! can go away, hang and lie. It imports nothing of the other support, so that every test binary can have it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use serde_json::{Value, json};

/// What the server does with calls from now on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Mood {
    Good,
    /// Closes the connection without a word.
    Away,
    /// Does what it is told, and closes the connection without a word.
    Mute,
    /// Says nothing until the mood is another one, and does nothing.
    Hanging,
    /// Gives this status, with an empty list of errors.
    Status(u16),
    /// Gives 200 and a body that is cut off, of the length that it names.
    HalfJson,
    /// Gives 200 and a page for people.
    Html,
    /// Gives 404 and a page for people.
    HtmlMissing,
    /// Gives this text, in base64, for every payload.
    Lying(String),
    /// Gives 403 for every put.
    ReadOnly,
}

/// Listens until the process ends; forgets nothing before that.
#[derive(Debug, Clone)]
pub(crate) struct FakeVault {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Debug)]
struct Inner {
    mood: Mood,
    /// `INSTALLATION/SECRET.PUT` and the payload in base64.
    entries: BTreeMap<String, String>,
    puts: u64,
    /// Those that it gives 500 for.
    damaged: BTreeSet<String>,
}

/// The token that it believes.
pub(crate) const TOKEN: &str = "the-only-token";

impl FakeVault {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let vault = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::new(State {
                inner: Mutex::new(Inner {
                    mood: Mood::Good,
                    entries: BTreeMap::new(),
                    puts: 0,
                    damaged: BTreeSet::new(),
                }),
                changed: Condvar::new(),
            }),
        };
        let state = Arc::clone(&vault.state);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&state);
                // Whoever hangs up is no failure of this server.
                thread::spawn(move || drop(converse(stream, &state)));
            }
        });
        vault
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The lines of a configuration that keep payloads here, under this name. `token_file` holds [`TOKEN`].
    pub(crate) fn config(&self, name: &str, token_file: &str, rest: &str) -> String {
        format!(
            "[[secret_stores]]\nname = \"{name}\"\nplugin = \"vault\"\nurl = \"{}\"\ntoken_file = \"{token_file}\"\n{rest}\n",
            self.url()
        )
    }

    pub(crate) fn set(&self, mood: Mood) {
        self.state.lock().mood = mood;
        self.state.changed.notify_all();
    }

    /// `INSTALLATION/SECRET.PUT` of all payloads.
    pub(crate) fn entries(&self) -> Vec<String> {
        self.state.lock().entries.keys().cloned().collect()
    }

    /// Puts a payload behind everybody's back.
    pub(crate) fn smuggle(&self, entry: &str, base64: &str) {
        let mut inner = self.state.lock();
        inner.entries.insert(entry.to_owned(), base64.to_owned());
    }

    /// Takes a payload away behind everybody's back.
    pub(crate) fn lose(&self, entry: &str) {
        assert!(self.state.lock().entries.remove(entry).is_some());
    }

    /// From now on it fails when it is asked for this payload.
    pub(crate) fn damage(&self, entry: &str) {
        self.state.lock().damaged.insert(entry.to_owned());
    }

    /// How many puts arrived.
    pub(crate) fn puts(&self) -> u64 {
        self.state.lock().puts
    }
}

impl State {
    /// A test that fails while it looks poisons nothing.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The mood, once it is no silence.
    fn mood(&self) -> Mood {
        let inner = self.lock();
        let awake = self
            .changed
            .wait_while(inner, |inner| inner.mood == Mood::Hanging);
        awake.unwrap_or_else(PoisonError::into_inner).mood.clone()
    }
}

struct Request {
    method: String,
    path: String,
    query: String,
    token: String,
    body: Vec<u8>,
}

fn converse(stream: TcpStream, state: &State) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    while let Some(request) = read(&mut reader)? {
        let was_silent = state.lock().mood == Mood::Hanging;
        let mood = state.mood();
        // Whoever asked in the silence has gone, and what it asked for does not happen.
        if was_silent || mood == Mood::Away {
            return Ok(());
        }
        let (status, body) = match &mood {
            Mood::Status(status) => (*status, json!({"errors": []}).to_string()),
            Mood::HalfJson => (200, r#"{"data": {"data": {"payload": "aGFsZ"#.to_owned()),
            Mood::Html => (200, "<html><body>Welcome</body></html>".to_owned()),
            Mood::HtmlMissing => (404, "<html><body>Not here</body></html>".to_owned()),
            _ => answer(&request, state, &mood),
        };
        if mood == Mood::Mute {
            return Ok(());
        }
        // In one piece: the second of two would wait until the first is confirmed.
        let answer = format!(
            "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes())?;
    }
    Ok(())
}

fn read(reader: &mut BufReader<TcpStream>) -> std::io::Result<Option<Request>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if line == "\r\n" {
            break;
        }
        lines.push(line.trim_end().to_owned());
    }
    let header = |wanted: &str| {
        let found = lines.iter().skip(1).find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(wanted).then(|| value.trim())
        });
        found.unwrap_or_default().to_owned()
    };
    let mut words = lines[0].split(' ');
    let method = words.next().unwrap().to_owned();
    let target = words.next().unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut body)?;
    Ok(Some(Request {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        token: header("x-vault-token"),
        body,
    }))
}

fn answer(request: &Request, state: &State, mood: &Mood) -> (u16, String) {
    let good = |data: Value| (200, json!({"data": data}).to_string());
    let nothing = || (404, json!({"errors": []}).to_string());
    if request.token != TOKEN {
        return (403, json!({"errors": ["permission denied"]}).to_string());
    }
    if request.path == "/v1/auth/token/lookup-self" {
        return good(json!({"ttl": 0, "renewable": false}));
    }
    let mut inner = state.lock();
    let data = request.path.strip_prefix("/v1/secret/data/donjon/");
    let metadata = request.path.strip_prefix("/v1/secret/metadata/donjon/");
    match (request.method.as_str(), data, metadata) {
        ("POST", ..) if *mood == Mood::ReadOnly => {
            inner.puts += 1;
            (403, json!({"errors": ["permission denied"]}).to_string())
        }
        ("GET", Some(entry), _) if inner.damaged.contains(entry) => {
            (500, json!({"errors": ["internal error"]}).to_string())
        }
        ("POST", Some(entry), _) => {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            let payload = body["data"]["payload"].as_str().unwrap();
            inner.entries.insert(entry.to_owned(), payload.to_owned());
            inner.puts += 1;
            good(json!({"version": 1}))
        }
        ("GET", Some(entry), _) => {
            let found = inner.entries.get(entry).map(|found| match mood {
                Mood::Lying(other) => other.clone(),
                _ => found.clone(),
            });
            found.map_or_else(nothing, |payload| {
                good(json!({"data": {"payload": payload}}))
            })
        }
        ("GET", _, Some(folder)) if request.query.contains("list=true") => {
            let parameter = |name: &str| {
                let mut pairs = request
                    .query
                    .split('&')
                    .filter_map(|pair| pair.split_once('='));
                pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
            };
            let limit = parameter("limit").map_or(usize::MAX, |limit| limit.parse().unwrap());
            let after = parameter("after").unwrap_or_default();
            let prefix = format!("{}/", folder.trim_end_matches('/'));
            let keys = inner.entries.keys();
            let keys = keys.filter_map(|entry| entry.strip_prefix(&prefix));
            let keys: Vec<_> = keys.filter(|key| *key > after).take(limit).collect();
            if keys.is_empty() {
                nothing()
            } else {
                good(json!({"keys": keys}))
            }
        }
        ("GET", _, Some(entry)) if inner.entries.contains_key(entry) => good(json!({})),
        ("DELETE", _, Some(entry)) => {
            inner.entries.remove(entry);
            (204, String::new())
        }
        _ => nothing(),
    }
}
