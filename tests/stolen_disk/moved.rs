//! Who edits the database without the root key can break secrets, and never make one pass for another.

use rusqlite::{Connection, params};

use crate::support::{Caller, Launch, Server, id_of};

/// Two projects with secrets in them.
struct House {
    launch: Launch,
    /// Paths: two of project `p`, one of `q`, one of `p` that is left alone.
    paths: [String; 4],
}

const PAYLOADS: [&str; 4] = [
    "the first payload of project p",
    "the second payload of project p",
    "the payload of project q",
    "what is left alone",
];

const REFUSED: &str = "Secret payload retrieval failure seen - please contact site administrator.";

impl House {
    fn new() -> Self {
        let server = Server::new("noauth");
        let (p, q) = (server.member_of("p"), server.member_of("q"));
        let paths = [
            p.store(PAYLOADS[0]),
            p.store(PAYLOADS[1]),
            q.store(PAYLOADS[2]),
            p.store(PAYLOADS[3]),
        ];
        Self {
            launch: server.stop(),
            paths,
        }
    }

    fn database(&self) -> Connection {
        Connection::open(self.launch.database()).unwrap()
    }

    /// The id of a secret as the database has it.
    fn id(&self, number: usize) -> Vec<u8> {
        let digits: String = id_of(&self.paths[number]).split('-').collect();
        (0..16)
            .map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap())
            .collect()
    }

    /// Gives a secret the sealed payload of another one, the key's name included.
    fn copy_payload(&self, from: usize, to: usize) {
        let changed = self
            .database()
            .execute(
                "UPDATE secrets SET (kek, envelope) = (SELECT kek, envelope FROM secrets WHERE uuid = ?1)
                 WHERE uuid = ?2",
                params![self.id(from), self.id(to)],
            )
            .unwrap();
        assert_eq!(changed, 1);
    }

    fn envelope(&self, number: usize) -> Vec<u8> {
        self.database()
            .query_row(
                "SELECT envelope FROM secrets WHERE uuid = ?1",
                params![self.id(number)],
                |row| row.get(0),
            )
            .unwrap()
    }

    fn set_envelope(&self, number: usize, envelope: &[u8]) {
        let changed = self
            .database()
            .execute(
                "UPDATE secrets SET envelope = ?1 WHERE uuid = ?2",
                params![envelope, self.id(number)],
            )
            .unwrap();
        assert_eq!(changed, 1);
    }

    fn place(&self, number: usize) -> i64 {
        self.database()
            .query_row(
                "SELECT place FROM secrets WHERE uuid = ?1",
                params![self.id(number)],
                |row| row.get(0),
            )
            .unwrap()
    }

    /// Starts the server and checks: who reads one of `broken` gets a clear error that the log explains, and everything
    /// else goes on.
    fn check(self, broken: &[usize]) {
        let Self { launch, paths } = self;
        let server = launch.start();
        let callers = [server.member_of("p"), server.member_of("q")];
        // A row that went to another project is looked for there.
        let caller = |number: usize| -> &Caller {
            callers
                .iter()
                .find(|caller| caller.call(&format!("GET {}", paths[number])).status == 200)
                .unwrap()
        };
        for number in 0..4 {
            let read = caller(number).call(&format!("GET {}/payload", paths[number]));
            if broken.contains(&number) {
                read.is(500, REFUSED);
            } else {
                assert_eq!(read.text(), PAYLOADS[number]);
            }
        }
        let errors = server.log_lines("ERROR", broken.len());
        assert_eq!(errors.len(), broken.len(), "{errors:#?}");
        let log = server.process().log();
        for payload in PAYLOADS {
            assert!(!log.contains(payload), "{log}");
        }
        assert_eq!(server.nobody().call("GET /healthcheck").text(), "OK");
        for (project, count) in [("p", 3), ("q", 1)] {
            let list = server.member_of(project).call("GET /v1/secrets").ok(200);
            assert_eq!(list["total"], count);
        }
        // What is broken can be deleted, and its project goes on.
        for number in broken {
            let caller = caller(*number);
            caller
                .call(&format!("DELETE {}", paths[*number]))
                .is_empty(204);
            let new = caller.store("a new one");
            assert_eq!(
                caller.call(&format!("GET {new}/payload")).text(),
                "a new one"
            );
        }
        server.stop();
    }
}

#[test]
fn a_payload_does_not_open_in_another_secret() {
    let house = House::new();
    house.copy_payload(0, 1);
    house.check(&[1]);
}

#[test]
fn a_payload_does_not_open_in_another_project() {
    let house = House::new();
    house.copy_payload(2, 0);
    house.check(&[0]);
}

/// Whole rows change places: each secret keeps its id and gets the other's project.
#[test]
fn a_secret_does_not_open_in_another_project() {
    let house = House::new();
    let (one, other) = (house.place(0), house.place(2));
    let database = house.database();
    for (from, to) in [(one, -1_i64), (other, one), (-1, other)] {
        let changed = database
            .execute("UPDATE secrets SET place = ?2 WHERE place = ?1", [from, to])
            .unwrap();
        assert_eq!(changed, 1);
    }
    drop(database);
    house.check(&[0, 2]);
}

/// Ids change places: what one client stored would be read by the other's reference.
#[test]
fn a_payload_does_not_open_under_another_id() {
    let house = House::new();
    let (one, other) = (house.id(0), house.id(1));
    let database = house.database();
    for (from, to) in [(&one, &vec![0; 16]), (&other, &one), (&vec![0; 16], &other)] {
        let changed = database
            .execute("UPDATE secrets SET uuid = ?2 WHERE uuid = ?1", [from, to])
            .unwrap();
        assert_eq!(changed, 1);
    }
    drop(database);
    house.check(&[0, 1]);
}

/// One byte of each part: magic, version, suite, key, salt, nonce, commitment, ciphertext and tag; and a last byte that
/// is gone.
#[test]
fn a_changed_byte_anywhere_is_noticed() {
    let mut house = House::new();
    let whole = house.envelope(0);
    let places = [0, 2, 3, 8, 24, 56, 80, 112, whole.len() - 1];
    let mut damaged: Vec<Vec<u8>> = places
        .map(|at| {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            damaged
        })
        .into();
    damaged.push(whole[..whole.len() - 1].to_vec());
    for envelope in &damaged {
        house.set_envelope(0, envelope);
        let server = house.launch.start();
        let read = server
            .member_of("p")
            .call(&format!("GET {}/payload", house.paths[0]));
        read.is(500, REFUSED);
        house.launch = server.stop();
    }
    house.set_envelope(0, &whole);
    house.check(&[]);
}

/// A key of one project under the name of another opens nothing and seals nothing.
#[test]
fn a_key_does_not_serve_another_project() {
    let house = House::new();
    let database = house.database();
    let scopes: Vec<i64> = ["p", "q"]
        .iter()
        .map(|name| {
            let scope = "SELECT id FROM projects WHERE name = ?1";
            database.query_row(scope, [name], |row| row.get(0)).unwrap()
        })
        .collect();
    for (from, to) in [(scopes[0], -2), (scopes[1], scopes[0]), (-2, scopes[1])] {
        let changed = database
            .execute("UPDATE keks SET scope = ?2 WHERE scope = ?1", [from, to])
            .unwrap();
        assert_eq!(changed, 1);
    }
    drop(database);
    let House { launch, paths } = house;
    let server = launch.start();
    let (p, q) = (server.member_of("p"), server.member_of("q"));
    for (caller, path) in [(&p, &paths[0]), (&q, &paths[2])] {
        caller.call(&format!("GET {path}/payload")).is(500, REFUSED);
        let body = serde_json::json!({"payload": "x", "payload_content_type": "text/plain"});
        let created = caller.json("POST /v1/secrets", &body);
        assert_eq!(created.status, 500, "{}", created.text());
    }
    // Others go on.
    let other = server.member_of("r");
    let path = other.store("another project");
    assert_eq!(
        other.call(&format!("GET {path}/payload")).text(),
        "another project"
    );
}
