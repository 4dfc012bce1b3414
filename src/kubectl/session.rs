//! The clinic as the person who asks sees it: requests with their rights, and what is said when one fails. What is shown of the
//! answers never stands here.

use k8s_openapi::api::core::v1::Event;
use kube::api::ApiResource;
use kube::core::{NotUsed, Object, ObjectMeta};

use super::Options;
use super::failure::Failure;
use super::names::{is_object_name, nearest, parse};
use super::seen::{AccountSpec, Clinic, Member, MemberKind};
use crate::adapters::clock::Clock;
use crate::adapters::kubernetes::{Person, PersonError};
use crate::api::{CLINIC_NAME, ClinicAccount};

/// How often an annotation is set on an object that changes at the same moment.
pub(super) const TRIES: usize = 5;

/// Somebody's connection to one clinic.
pub(super) struct Session {
    person: Person,
    /// The time.
    pub(super) clock: Clock,
    /// The flags by which another command means the same clinic; with a space before each.
    pub(super) flags: String,
}

/// What somebody may perhaps not read.
pub(super) enum Perhaps<T> {
    /// Read.
    Read(T),
    /// Refused, by RBAC.
    NotAllowed,
}

impl Session {
    pub(super) async fn open(options: &Options) -> Result<Self, Failure> {
        Ok(Self { person: Person::connect(&options.login()).await?, clock: Clock, flags: options.again() })
    }

    pub(super) fn namespace(&self) -> &str {
        &self.person.namespace
    }

    /// Every member of both kinds, in the order of their names.
    pub(super) async fn members(&self) -> Result<Vec<Member>, Failure> {
        let mut members = Vec::new();
        for kind in MemberKind::ALL {
            let all = self.person.list(&kind.resource()).await.map_err(|error| self.failed(error))?;
            members.extend(all.into_iter().map(|object| Member::new(kind, object)));
        }
        Ok(members)
    }

    /// The member whom a person means by these words.
    pub(super) async fn member(&self, words: &str) -> Result<Member, Failure> {
        let (kind, name) = parse(words).ok_or_else(|| Failure::NotAName(words.to_owned()))?;
        let mut found = Vec::new();
        for kind in MemberKind::ALL.into_iter().filter(|of| kind.is_none_or(|kind| kind == *of)) {
            found.extend(self.member_of(kind, name).await?);
        }
        if found.len() > 1 {
            return Err(Failure::TwoMembers(name.to_owned()));
        }
        match found.pop() {
            Some(member) => Ok(member),
            None => Err(self.no_member(name).await?),
        }
    }

    /// The same, where only a person makes sense: of two members of one name it is the person.
    pub(super) async fn person(&self, words: &str) -> Result<Member, Failure> {
        let person = match parse(words) {
            Some((None, name)) => self.member_of(MemberKind::ClinicUser, name).await?,
            Some((Some(_), _)) | None => None,
        };
        match person {
            Some(person) => Ok(person),
            None => self.member(words).await,
        }
    }

    /// The member of that kind and name, if there is one.
    pub(super) async fn member_of(&self, kind: MemberKind, name: &str) -> Result<Option<Member>, Failure> {
        if !is_object_name(name) {
            return Ok(None);
        }
        let found = self.found(self.person.get(&kind.resource(), name).await)?;
        Ok(found.map(|object| Member::new(kind, object)))
    }

    /// That nobody has the name, who has one like it, or what is missing around.
    async fn no_member(&self, name: &str) -> Result<Failure, Failure> {
        let members = self.members().await?;
        if members.is_empty() && self.person.namespace_is_there().await == Some(false) {
            return Ok(Failure::NoNamespace(self.namespace().to_owned()));
        }
        let near = nearest(name, &members);
        Ok(Failure::NoMember { name: name.to_owned(), namespace: self.namespace().to_owned(), near })
    }

    /// The Clinic, which must be there.
    pub(super) async fn clinic(&self) -> Result<Clinic, Failure> {
        match self.clinic_if_any().await? {
            Some(clinic) => Ok(clinic),
            None => Err(self.no_clinic().await),
        }
    }

    pub(super) async fn no_clinic(&self) -> Failure {
        let namespace = self.namespace().to_owned();
        match self.person.namespace_is_there().await {
            Some(false) => Failure::NoNamespace(namespace),
            Some(true) | None => Failure::NoClinic(namespace),
        }
    }

    pub(super) async fn clinic_if_any(&self) -> Result<Option<Clinic>, Failure> {
        self.found(self.person.get(&clinics(), CLINIC_NAME).await)
    }

    /// The same, where it only says which zone to show times in: who may not read it reads them in UTC.
    pub(super) async fn clinic_for_times(&self) -> Result<Option<Clinic>, Failure> {
        match self.clinic_if_any().await {
            Err(Failure::Forbidden(_)) => Ok(None),
            other => other,
        }
    }

    /// What the record says, for who may read it. `None`: there is no such account.
    pub(super) async fn account(&self, name: &str) -> Result<Perhaps<Option<AccountSpec>>, Failure> {
        let kind = ApiResource::erase::<ClinicAccount>(&());
        let account: Result<Object<AccountSpec, NotUsed>, PersonError> = self.person.get(&kind, name).await;
        match account {
            Err(PersonError::Forbidden(_)) => Ok(Perhaps::NotAllowed),
            other => Ok(Perhaps::Read(self.found(other)?.map(|account| account.spec))),
        }
    }

    /// What all records say, for who may read them.
    pub(super) async fn accounts(&self) -> Result<Perhaps<Vec<AccountSpec>>, Failure> {
        let kind = ApiResource::erase::<ClinicAccount>(&());
        let accounts: Result<Vec<Object<AccountSpec, NotUsed>>, PersonError> = self.person.list(&kind).await;
        match accounts {
            Err(PersonError::Forbidden(_)) => Ok(Perhaps::NotAllowed),
            Err(error) => Err(self.failed(error)),
            Ok(all) => Ok(Perhaps::Read(all.into_iter().map(|account| account.spec).collect())),
        }
    }

    /// The events about a member, in no order.
    pub(super) async fn events(&self, member: &Member) -> Result<Perhaps<Vec<Event>>, Failure> {
        let uid = member.metadata.uid.as_deref().unwrap_or_default();
        match self.person.list_known(&format!("involvedObject.uid={uid}")).await {
            Ok(events) => Ok(Perhaps::Read(events)),
            Err(PersonError::Forbidden(_)) => Ok(Perhaps::NotAllowed),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Gives an annotation of a member or the Clinic a value. `false`: the object has changed since it was read.
    pub(super) async fn annotate(
        &self,
        kind: &ApiResource,
        read: &ObjectMeta,
        annotation: &str,
        value: &str,
    ) -> Result<bool, Failure> {
        match self.person.annotate(kind, read, annotation, value).await {
            Ok(()) => Ok(true),
            Err(PersonError::Conflict) => Ok(false),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn failed(&self, error: PersonError) -> Failure {
        Failure::of(error, &self.person.server)
    }

    fn found<T>(&self, answer: Result<T, PersonError>) -> Result<Option<T>, Failure> {
        match answer {
            Ok(object) => Ok(Some(object)),
            Err(PersonError::NotFound) => Ok(None),
            Err(error) => Err(self.failed(error)),
        }
    }
}

/// The Clinic's kind.
pub(super) fn clinics() -> ApiResource {
    ApiResource::erase::<crate::api::Clinic>(&())
}
