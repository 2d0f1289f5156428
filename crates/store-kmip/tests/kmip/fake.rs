//! A KMIP server of 1.0 to 1.4, on threads of its own.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use donjon_domain::SecretBytes;
use donjon_kmip_ttlv::{HEADER_BYTES, Item, Limits, Tag, Value, decode, encode, message_bytes};
use donjon_store_kmip::{KmipConfig, KmipStore, Login};
use rustls::{ServerConnection, StreamOwned};

use crate::{
    message::{all, bytes, find, item, items, number, structure, text},
    pki::Pki,
};

pub(crate) struct Fake {
    pki: Pki,
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) state: Mutex<State>,
    pub(crate) connections: AtomicUsize,
    pub(crate) messages: AtomicUsize,
    is_over: AtomicBool,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) objects: BTreeMap<u64, Object>,
    /// What is done in place of an answer.
    pub(crate) fault: Option<Fault>,
    /// The newest version that it knows is 1.x.
    pub(crate) minor_max: u32,
    /// Gives the id of what was destroyed last to what is made next.
    pub(crate) reuses_ids: bool,
    pub(crate) password: Option<&'static str>,
    /// Streams of all connections, to end them.
    streams: Vec<TcpStream>,
    /// Those that hang.
    hanging: Vec<Sender<()>>,
    next: u64,
}

#[derive(Clone, Default)]
pub(crate) struct Object {
    pub(crate) object_type: u32,
    pub(crate) name: Option<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) bytes: Vec<u8>,
    /// Of a key.
    pub(crate) format: u32,
    pub(crate) bits: u32,
}

#[derive(Clone)]
pub(crate) enum Fault {
    /// Ends connections before TLS.
    Away,
    /// Reads what is asked, and says nothing.
    Hang,
    /// Ends the connection in place of an answer; with `true` it has done what was
    /// asked.
    Close(bool),
    /// The same, of the next message alone.
    CloseOnce(bool),
    /// Changes answers on their way out.
    Lie(Arc<dyn Fn(Vec<u8>) -> Vec<u8> + Send + Sync>),
}

impl Fake {
    pub(crate) fn start() -> Self {
        let pki = Pki::new();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::default());
        shared.lock().minor_max = 4;
        let (config, of_thread) = (pki.server(), Arc::clone(&shared));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if of_thread.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let (stream, shared) = (stream.unwrap(), Arc::clone(&of_thread));
                shared.connections.fetch_add(1, Ordering::SeqCst);
                if matches!(shared.lock().fault, Some(Fault::Away)) {
                    continue;
                }
                shared.lock().streams.push(stream.try_clone().unwrap());
                let tls = ServerConnection::new(Arc::clone(&config)).unwrap();
                thread::spawn(move || {
                    let mut stream = StreamOwned::new(tls, stream);
                    shared.serve(&mut stream);
                    // Another handle is among the streams of the state.
                    drop(stream.sock.shutdown(std::net::Shutdown::Both));
                });
            }
        });
        Self { pki, port, shared }
    }

    pub(crate) fn config(&self) -> KmipConfig {
        KmipConfig {
            host: "localhost".to_owned(),
            port: self.port,
            tls: self.pki.client(),
            login: None,
            prefix: "test/donjon".to_owned(),
            payload_bytes_max: 65_536,
            makes_keys: true,
            patience: Duration::from_secs(10),
            rest: Duration::from_millis(50),
        }
    }

    pub(crate) fn store(&self) -> KmipStore {
        KmipStore::new(self.config()).unwrap()
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.lock()
    }

    pub(crate) fn set_fault(&self, fault: Option<Fault>) {
        self.state().fault = fault;
    }

    /// Ends all connections.
    pub(crate) fn drop_connections(&self) {
        for stream in self.state().streams.drain(..) {
            // Its thread may have ended it.
            drop(stream.shutdown(std::net::Shutdown::Both));
        }
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        self.drop_connections();
        self.state().hanging.clear();
        // So that the thread that listens sees it.
        drop(TcpStream::connect(SocketAddr::from((
            [127, 0, 0, 1],
            self.port,
        ))));
    }
}

pub(crate) fn login(password: &str) -> Login {
    Login {
        username: "donjon".to_owned(),
        password: SecretBytes::new(password.as_bytes().to_vec()),
    }
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn serve(&self, stream: &mut StreamOwned<ServerConnection, TcpStream>) {
        // Ends with the client, or by `drop_connections`.
        while let Some(request) = read(stream) {
            self.messages.fetch_add(1, Ordering::SeqCst);
            let fault = self.lock().fault.clone();
            let answer = match fault {
                Some(Fault::Close(false)) => return,
                Some(Fault::CloseOnce(is_done)) => {
                    let mut state = self.lock();
                    state.fault = None;
                    if is_done {
                        state.answer(&request);
                    }
                    return;
                }
                Some(Fault::Hang) => {
                    let hanging = self.hang();
                    hanging.recv().unwrap_err();
                    return;
                }
                _ => self.lock().answer(&request),
            };
            let mut answer = encode(&answer).unwrap().to_vec();
            match fault {
                Some(Fault::Close(_)) => return,
                Some(Fault::Lie(lie)) => answer = lie(answer),
                _ => {}
            }
            if stream
                .write_all(&answer)
                .and_then(|()| stream.flush())
                .is_err()
            {
                return;
            }
        }
    }

    fn hang(&self) -> Receiver<()> {
        let (sender, receiver) = channel();
        self.lock().hanging.push(sender);
        receiver
    }
}

fn read(stream: &mut impl Read) -> Option<Item> {
    let limits = Limits {
        bytes_max: 32 * 1024 * 1024,
        ..Limits::default()
    };
    let mut message = vec![0; HEADER_BYTES];
    stream.read_exact(&mut message).ok()?;
    let bytes = message_bytes(message.first_chunk().unwrap(), &limits).unwrap();
    message.resize(bytes, 0);
    stream.read_exact(&mut message[HEADER_BYTES..]).ok()?;
    Some(decode(&message, &limits).unwrap())
}

type Done = Result<Vec<Item>, (u32, String)>;

impl State {
    fn answer(&mut self, request: &Item) -> Item {
        assert_eq!(request.tag, Tag::standard(0x0078));
        let header = find(request, 0x0077).unwrap();
        let version = find(header, 0x0069).unwrap();
        let minor = number(find(version, 0x006b).unwrap());
        if minor > self.minor_max {
            return message(
                0,
                vec![failed(None, (0x04, "KMIP 1.x is not known".into()))],
            );
        }
        if let Some(wanted) = self.password {
            let credential = find(header, 0x000c).and_then(|found| find(found, 0x0023));
            let value = credential.and_then(|found| find(found, 0x0025));
            let password = value.and_then(|found| find(found, 0x00a1)).map(text);
            if password != Some(wanted) {
                return message(minor, vec![failed(None, (0x03, "who are you?".into()))]);
            }
        }
        let batch: Vec<_> = all(request, 0x000f).collect();
        assert_eq!(number(find(header, 0x000d).unwrap()) as usize, batch.len());
        let done = batch.iter().map(|call| {
            let operation = number(find(call, 0x005c).unwrap());
            let id = find(call, 0x0093).map(|id| bytes(id).to_vec());
            assert!(id.is_some() || batch.len() == 1);
            let payload = find(call, 0x0079).unwrap();
            let mut result = match self.carry_out(operation, payload, minor) {
                Ok(items) => vec![
                    item(0x005c, Value::Enumeration(operation)),
                    item(0x007f, Value::Enumeration(0)),
                    structure(0x007c, items),
                ],
                Err(why) => return failed(Some((operation, id)), why),
            };
            if let Some(id) = id {
                result.insert(1, item(0x0093, Value::bytes(id)));
            }
            structure(0x000f, result)
        });
        let done = done.collect();
        message(minor, done)
    }

    fn carry_out(&mut self, operation: u32, payload: &Item, minor: u32) -> Done {
        match operation {
            0x01 => self.create(payload),
            0x02 => self.create_pair(payload),
            0x03 => self.register(payload),
            0x08 => Ok(self.locate(payload)),
            0x0a => self.get(payload),
            0x0b => self.attributes(payload),
            0x14 => {
                let id = self.id(payload)?;
                self.objects.remove(&id);
                if self.reuses_ids {
                    self.next = id;
                }
                Ok(vec![item(0x0094, Value::text(id.to_string()))])
            }
            0x1e if minor > 0 => {
                let known = (0..=self.minor_max).rev();
                Ok(known.map(version).collect())
            }
            _ => Err((0x05, format!("no operation {operation:#x}"))),
        }
    }

    pub(crate) fn keep(&mut self, object: Object) -> u64 {
        if !self.reuses_ids || self.objects.contains_key(&self.next) {
            self.next = self
                .objects
                .keys()
                .last()
                .map_or(1, |last| last + 1)
                .max(self.next + 1);
        }
        self.objects.insert(self.next, object);
        self.next
    }

    fn register(&mut self, payload: &Item) -> Done {
        let object_type = number(find(payload, 0x0057).unwrap());
        assert_eq!(object_type, 8, "an Opaque Object");
        let value = find(find(payload, 0x005b).unwrap(), 0x005a).unwrap();
        let mut object = Object {
            object_type,
            bytes: bytes(value).to_vec(),
            ..Object::default()
        };
        object.set(find(payload, 0x0091).unwrap());
        let id = self.keep(object);
        Ok(vec![item(0x0094, Value::text(id.to_string()))])
    }

    fn create(&mut self, payload: &Item) -> Done {
        let mut key = Object {
            object_type: number(find(payload, 0x0057).unwrap()),
            format: 1,
            ..Object::default()
        };
        key.set(find(payload, 0x0091).unwrap());
        key.bytes = self.noise(key.bits);
        let id = self.keep(key);
        Ok(vec![
            item(0x0057, Value::Enumeration(2)),
            item(0x0094, Value::text(id.to_string())),
        ])
    }

    /// No keys, but bytes in a form of keys.
    fn create_pair(&mut self, payload: &Item) -> Done {
        let mut ids = Vec::new();
        for (object_type, template, id) in [(4, 0x0065, 0x0066), (3, 0x006e, 0x006f)] {
            let mut half = Object {
                object_type,
                format: 3,
                ..Object::default()
            };
            half.set(find(payload, 0x001f).unwrap());
            half.set(find(payload, template).unwrap());
            half.bytes = self.noise(half.bits);
            let kept = self.keep(half);
            ids.push(item(id, Value::text(kept.to_string())));
        }
        Ok(ids)
    }

    fn noise(&self, bits: u32) -> Vec<u8> {
        let seed = self
            .next
            .wrapping_add(1)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let bytes = seed.to_be_bytes().into_iter().cycle();
        bytes.take(usize::try_from(bits / 8).unwrap()).collect()
    }

    fn locate(&self, payload: &Item) -> Vec<Item> {
        let is_wanted = |object: &Object| {
            all(payload, 0x0008).all(|attribute| {
                let value = find(attribute, 0x000b).unwrap();
                match text(find(attribute, 0x000a).unwrap()) {
                    "Name" => object.name.as_deref() == Some(text(find(value, 0x0055).unwrap())),
                    "Object Group" => object.groups.iter().any(|group| group == text(value)),
                    other => panic!("{other}"),
                }
            })
        };
        let found = self.objects.iter().filter(|(_, object)| is_wanted(object));
        found
            .map(|(id, _)| item(0x0094, Value::text(id.to_string())))
            .collect()
    }

    fn id(&self, payload: &Item) -> Result<u64, (u32, String)> {
        let id = text(find(payload, 0x0094).unwrap());
        let known = id.parse().ok().filter(|id| self.objects.contains_key(id));
        known.ok_or_else(|| (0x01, format!("no object {id}")))
    }

    fn get(&self, payload: &Item) -> Done {
        let id = self.id(payload)?;
        let object = &self.objects[&id];
        let content = object.content();
        Ok(vec![
            item(0x0057, Value::Enumeration(object.object_type)),
            item(0x0094, Value::text(id.to_string())),
            content,
        ])
    }

    fn attributes(&self, payload: &Item) -> Done {
        let id = self.id(payload)?;
        assert_eq!(text(find(payload, 0x000a).unwrap()), "Name");
        let mut items = vec![item(0x0094, Value::text(id.to_string()))];
        if let Some(name) = &self.objects[&id].name {
            let value = vec![
                item(0x0055, Value::text(name.as_str())),
                item(0x0054, Value::Enumeration(1)),
            ];
            let attribute = vec![
                item(0x000a, Value::text("Name")),
                item(0x0009, Value::Integer(0)),
                structure(0x000b, value),
            ];
            items.push(structure(0x0008, attribute));
        }
        Ok(items)
    }
}

impl Object {
    fn content(&self) -> Item {
        let bytes = Value::bytes(self.bytes.clone());
        let tag = match self.object_type {
            2 => 0x008f,
            3 => 0x006d,
            4 => 0x0064,
            _ => {
                let kind = item(0x0059, Value::Enumeration(0x8000_0000));
                return structure(0x005b, vec![kind, item(0x005a, bytes)]);
            }
        };
        let block = vec![
            item(0x0042, Value::Enumeration(self.format)),
            structure(0x0045, vec![item(0x0043, bytes)]),
        ];
        structure(tag, vec![structure(0x0040, block)])
    }

    fn set(&mut self, template: &Item) {
        for attribute in items(template) {
            let value = find(attribute, 0x000b).unwrap();
            match text(find(attribute, 0x000a).unwrap()) {
                "Name" => self.name = Some(text(find(value, 0x0055).unwrap()).to_owned()),
                "Object Group" => self.groups.push(text(value).to_owned()),
                "Cryptographic Length" => self.bits = number(value),
                "Cryptographic Algorithm" | "Cryptographic Usage Mask" => {
                    assert!(number(value) > 0);
                }
                other => panic!("{other}"),
            }
        }
    }
}

fn failed(call: Option<(u32, Option<Vec<u8>>)>, (reason, words): (u32, String)) -> Item {
    let mut result = Vec::new();
    if let Some((operation, id)) = call {
        result.push(item(0x005c, Value::Enumeration(operation)));
        result.extend(id.map(|id| item(0x0093, Value::bytes(id))));
    }
    result.push(item(0x007f, Value::Enumeration(1)));
    result.push(item(0x007e, Value::Enumeration(reason)));
    result.push(item(0x007d, Value::text(words)));
    structure(0x000f, result)
}

fn message(minor: u32, batch: Vec<Item>) -> Item {
    let header = vec![
        version(minor),
        item(0x0092, Value::DateTime(1_700_000_000)),
        item(0x000d, Value::Integer(i32::try_from(batch.len()).unwrap())),
    ];
    let mut all = vec![structure(0x007a, header)];
    all.extend(batch);
    structure(0x007b, all)
}

fn version(minor: u32) -> Item {
    let minor = Value::Integer(i32::try_from(minor).unwrap());
    structure(
        0x0069,
        vec![item(0x006a, Value::Integer(1)), item(0x006b, minor)],
    )
}
