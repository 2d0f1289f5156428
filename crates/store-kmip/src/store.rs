//! The port: payloads as managed objects.

use std::{
    collections::HashMap,
    fmt,
    sync::{MutexGuard, PoisonError},
};

use donjon_domain::{
    DeploymentId, ProjectId, SecretBytes,
    ports::{
        BoxFuture, GenerationRequest, Listed, Locator, OutsidePayload, PayloadName, PayloadStore,
        StoreError, StoreErrorKind,
    },
};
use donjon_kmip_ttlv::{Limits, Tag, Value};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::{
    KmipConfig, SetupError,
    answer::{Fields, Garbled, Outcome},
    connections::{ConnectionError, Way},
    keys::{Wanted, payload},
    name::{Place, Prefix},
    request::Call,
    server::{CallError, Server, refused, small},
    tag,
};

/// Keeps payloads in a KMIP server. Needs a tokio runtime.
pub struct KmipStore {
    server: Server,
    prefix: Prefix,
    payload_bytes_max: usize,
    makes_keys: bool,
    /// Between looking at an object and destroying it no other one of ours may be
    /// destroyed, so that its id can become another's meanwhile.
    destroying: Mutex<()>,
    /// Of the last list: a name is asked for once.
    seen: std::sync::Mutex<Names>,
}

/// By ids; `None` is not of ours.
type Names = HashMap<String, Option<PayloadName>>;

impl KmipStore {
    /// Takes no connection yet. Blocks on reading certificates.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn new(config: KmipConfig) -> Result<Self, SetupError> {
        if config.payload_bytes_max > KmipConfig::PAYLOAD_BYTES_MAX {
            return Err(SetupError::PayloadBytesMax);
        }
        Ok(Self {
            prefix: Prefix::new(config.prefix.clone())?,
            payload_bytes_max: config.payload_bytes_max,
            makes_keys: config.makes_keys,
            server: Server::new(config)?,
            destroying: Mutex::default(),
            seen: std::sync::Mutex::default(),
        })
    }

    async fn register(
        &self,
        name: &PayloadName,
        bytes: &SecretBytes,
    ) -> Result<Locator, CallError> {
        if bytes.len() > self.payload_bytes_max {
            return Err(refused(format!(
                "a payload of {} bytes; this store takes {}",
                bytes.len(),
                self.payload_bytes_max
            )));
        }
        let call = || {
            let bytes = Zeroizing::new(bytes.expose().to_vec());
            let group = self.prefix.group(name.deployment);
            vec![Call::register(&self.prefix.name(name), &group, bytes)]
        };
        let names = [*name];
        let made = self.make(&names, &[tag::UNIQUE_IDENTIFIER], call).await?;
        let made = made.into_iter().next();
        made.ok_or_else(|| Garbled::Lacks("id of a new object").into())
    }

    async fn create(
        &self,
        names: &[PayloadName],
        request: GenerationRequest<'_>,
    ) -> Result<Vec<Locator>, CallError> {
        let name = |name: &PayloadName| self.prefix.name(name);
        let group = |name: &PayloadName| self.prefix.group(name.deployment);
        let wanted = Wanted::of(request).filter(|_| self.makes_keys);
        match (wanted, names) {
            (Some(Wanted::Aes(bits)), [key]) => {
                let call = || vec![Call::create(&name(key), &group(key), bits)];
                self.make(names, &[tag::UNIQUE_IDENTIFIER], call).await
            }
            (Some(Wanted::RsaPair(bits)), [private, public])
                if private.deployment == public.deployment =>
            {
                let call = || {
                    let (own, other) = (name(private), name(public));
                    vec![Call::create_key_pair(&own, &other, &group(private), bits)]
                };
                let ids = [
                    tag::PRIVATE_KEY_UNIQUE_IDENTIFIER,
                    tag::PUBLIC_KEY_UNIQUE_IDENTIFIER,
                ];
                self.make(names, &ids, call).await
            }
            _ => Err(refused("this store makes no such keys")),
        }
    }

    /// Carries out what makes objects of these names, whose ids are in the answer
    /// under these tags.
    async fn make(
        &self,
        names: &[PayloadName],
        ids: &[Tag],
        call: impl Fn() -> Vec<Call>,
    ) -> Result<Vec<Locator>, CallError> {
        let done = match self.server.once(Way::Kept, small(), call()).await {
            Err(CallError::Connection(ConnectionError::Lost(_))) => {
                // It may have got there: two objects of one name must not be.
                let mut found = Vec::with_capacity(names.len());
                for name in names {
                    found.extend(self.locate(name).await?);
                }
                if found.len() == names.len() {
                    return Ok(found);
                }
                if !found.is_empty() {
                    return Err(Garbled::Other("one half of a pair is there").into());
                }
                self.server.once(Way::Fresh, small(), call()).await?
            }
            done => done?,
        };
        let answer = only(done)??;
        let made = names.iter().zip(ids).map(|(name, tag)| {
            let id = answer.text(*tag);
            let id = id.ok_or(Garbled::Lacks("id of a new object"))?;
            Ok(Place { name: *name, id }.locator()?)
        });
        made.collect()
    }

    async fn read(&self, place: &Place<'_>) -> Result<SecretBytes, CallError> {
        // What is there may be of a time when more was taken.
        let limits = Limits {
            bytes_max: KmipConfig::PAYLOAD_BYTES_MAX + small().bytes_max,
            ..Limits::default()
        };
        let calls = || vec![Call::names_of(place.id), Call::get(place.id)];
        let done = self.server.ask(limits, calls).await?;
        let [names, got] = both(done)?;
        if !self.is_named(place, &names?)? {
            return Err(StoreError::new(StoreErrorKind::Missing).into());
        }
        let mut got = got?;
        same_id(place.id, &got)?;
        Ok(payload(&mut got)?)
    }

    async fn destroy(&self, place: &Place<'_>) -> Result<(), CallError> {
        let _alone = self.destroying.lock().await;
        let names = || vec![Call::names_of(place.id)];
        match only(self.server.ask(small(), names).await?)? {
            Ok(answer) if !self.is_named(place, &answer)? => return Ok(()),
            Ok(_) => {}
            Err(refusal) if refusal.is_missing() => return Ok(()),
            Err(refusal) => return Err(refusal.into()),
        }
        let destroy = || vec![Call::destroy(place.id)];
        match only(self.server.ask(small(), destroy).await?)? {
            Ok(answer) => same_id(place.id, &answer)?,
            Err(refusal) if refusal.is_missing() => {}
            Err(refusal) => return Err(refusal.into()),
        }
        // The id may become another's.
        lock(&self.seen).remove(place.id);
        Ok(())
    }

    async fn locate(&self, name: &PayloadName) -> Result<Option<Locator>, CallError> {
        let own = self.prefix.name(name);
        let locate = || vec![Call::locate_name(&own)];
        let found = only(self.server.ask(small(), locate).await?)??;
        // Servers that do not know how to look for names give all that they have.
        for id in ids(&found) {
            let names = || vec![Call::names_of(id)];
            match only(self.server.ask(small(), names).await?)? {
                Ok(answer) => {
                    let place = Place { name: *name, id };
                    if self.is_named(&place, &answer)? {
                        return Ok(Some(place.locator()?));
                    }
                }
                Err(refusal) if refusal.is_missing() => {}
                Err(refusal) => return Err(refusal.into()),
            }
        }
        Ok(None)
    }

    async fn walk(
        &self,
        deployment: DeploymentId,
        after: Option<&PayloadName>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        let names = self.names(&self.prefix.group(deployment)).await?;
        let wanted = |name: &PayloadName| {
            name.deployment == deployment && after.is_none_or(|after| name > after)
        };
        let mut all: Vec<(PayloadName, &str)> = names
            .iter()
            .filter_map(|(id, name)| Some(((*name)?, id.as_str())))
            .filter(|(name, _)| wanted(name))
            .collect();
        all.sort_unstable();
        // Of two with one name the other shows when this one is gone.
        all.dedup_by_key(|(name, _)| *name);
        all.truncate(limit);
        let listed = all.into_iter().map(|(name, id)| {
            let locator = Place { name, id }.locator()?;
            Ok(Listed { name, locator })
        });
        listed.collect()
    }

    /// What the objects of a group are called. Takes the time of a call for each
    /// message that it needs; what it learned stays, wherever it ends.
    async fn names(&self, group: &str) -> Result<Names, StoreError> {
        let locate = || vec![Call::locate_group(group)];
        let found = async { Ok(only(self.server.ask(list_limits(), locate).await?)??) };
        let found = self.server.within_patience(found).await?;
        let (mut names, unknown) = {
            let mut seen = lock(&self.seen);
            let (known, unknown): (Vec<_>, Vec<_>) =
                ids(&found).partition(|id| seen.contains_key(*id));
            let known = known.into_iter();
            let known: Names = known.filter_map(|id| seen.remove_entry(id)).collect();
            // Others are gone.
            seen.clone_from(&known);
            (known, unknown)
        };
        for part in unknown.chunks(BATCH_MAX) {
            let calls = || part.iter().map(|id| Call::names_of(id)).collect();
            let done = self.server.ask(Limits::default(), calls);
            let done = self.server.within_patience(done).await?;
            for (id, outcome) in part.iter().zip(done) {
                match outcome {
                    Ok(answer) => {
                        same_id(id, &answer)?;
                        let name = answer.names().find_map(|name| self.prefix.read(name));
                        lock(&self.seen).insert((*id).to_owned(), name);
                        names.insert((*id).to_owned(), name);
                    }
                    Err(refusal) if refusal.is_missing() => {}
                    Err(refusal) => return Err(refusal.into()),
                }
            }
        }
        Ok(names)
    }

    fn is_named(&self, place: &Place<'_>, answer: &Fields) -> Result<bool, Garbled> {
        same_id(place.id, answer)?;
        let own = self.prefix.name(&place.name);
        Ok(answer.names().any(|name| name == own))
    }
}

impl PayloadStore for KmipStore {
    fn put<'a>(
        &'a self,
        name: &'a PayloadName,
        payload: &'a OutsidePayload<'a>,
    ) -> BoxFuture<'a, Result<Locator, StoreError>> {
        let work = self.register(name, payload.bytes);
        Box::pin(self.server.within_patience(work))
    }

    fn get<'a>(&'a self, locator: &'a Locator) -> BoxFuture<'a, Result<SecretBytes, StoreError>> {
        Box::pin(async move {
            let missing = || StoreError::new(StoreErrorKind::Missing);
            let place = Place::of(locator).ok_or_else(missing)?;
            self.server.within_patience(self.read(&place)).await
        })
    }

    fn delete<'a>(&'a self, locator: &'a Locator) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let Some(place) = Place::of(locator) else {
                return Ok(());
            };
            self.server.within_patience(self.destroy(&place)).await
        })
    }

    fn find<'a>(
        &'a self,
        name: &'a PayloadName,
    ) -> BoxFuture<'a, Result<Option<Locator>, StoreError>> {
        Box::pin(self.server.within_patience(self.locate(name)))
    }

    fn list<'a>(
        &'a self,
        deployment: DeploymentId,
        after: Option<&'a PayloadName>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        Box::pin(self.walk(deployment, after, limit))
    }

    fn can_generate(&self, request: GenerationRequest<'_>) -> bool {
        self.makes_keys && Wanted::of(request).is_some()
    }

    fn generate<'a>(
        &'a self,
        names: &'a [PayloadName],
        _project: &'a ProjectId,
        request: GenerationRequest<'a>,
    ) -> BoxFuture<'a, Result<Vec<Locator>, StoreError>> {
        Box::pin(self.server.within_patience(self.create(names, request)))
    }

    fn check(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        let work = async {
            let nobody = || vec![Call::locate_name("donjon: is anybody there?")];
            only(self.server.ask(small(), nobody).await?)??;
            Ok(())
        };
        Box::pin(self.server.within_patience(work))
    }
}

fn lock<T>(mutex: &std::sync::Mutex<T>) -> MutexGuard<'_, T> {
    // Each change is whole at every point.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An answer about another object is none.
fn same_id(id: &str, answer: &Fields) -> Result<(), Garbled> {
    if answer.text(tag::UNIQUE_IDENTIFIER) == Some(id) {
        Ok(())
    } else {
        Err(Garbled::Other("another object"))
    }
}

fn ids(located: &Fields) -> impl Iterator<Item = &str> {
    let found = located.all(tag::UNIQUE_IDENTIFIER);
    found.filter_map(|value| match value {
        Value::TextString(id) => Some(id.as_str()),
        _ => None,
    })
}

fn only(mut outcomes: Vec<Outcome>) -> Result<Outcome, Garbled> {
    outcomes.pop().ok_or(Garbled::Lacks("result"))
}

fn both(outcomes: Vec<Outcome>) -> Result<[Outcome; 2], Garbled> {
    let both = <[Outcome; 2]>::try_from(outcomes);
    both.map_err(|_other_number| Garbled::Lacks("result"))
}

/// Some 800,000 objects.
fn list_limits() -> Limits {
    Limits {
        bytes_max: 64 * 1024 * 1024,
        items_max: 1024 * 1024,
        ..Limits::default()
    }
}

impl fmt::Debug for KmipStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KmipStore").finish_non_exhaustive()
    }
}

/// Objects that are asked for in one message.
const BATCH_MAX: usize = 64;
