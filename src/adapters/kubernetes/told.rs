//! What the watch of one kind has told, and which of two states of an object counts: the one rule of the controller's and of the portal's
//! cache. Within one list and the watch that follows it the newer state counts. A list that begins is the truth whatever was known
//! before, also when its versions are older: the API server may have been restored from a snapshot. Objects are kept elsewhere.

use std::collections::HashSet;

use kube::core::ObjectMeta;

use super::{Packed, version};

/// Of one kind.
#[derive(Debug, Default)]
pub struct Told {
    /// Lists that have begun.
    list: u32,
    /// Names that the list under way has told.
    listing: HashSet<String>,
    /// Whether a list has ended.
    is_complete: bool,
    /// Up to which resourceVersion everything was told, since the last list began.
    version: u64,
}

/// Which state of an object counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// The one that is known.
    Known,
    /// Both, for they are the same; it is known since this list.
    Both,
    /// The other one.
    Other,
}

impl Told {
    /// Takes in that a list begins.
    pub fn begin_list(&mut self) {
        self.list += 1;
        self.listing.clear();
        self.version = 0;
    }

    /// Takes in that the list has this object.
    pub fn lists(&mut self, metadata: &ObjectMeta) {
        self.listing.extend(metadata.name.clone());
        self.watched(metadata);
    }

    /// Takes in that the list has ended. Returns the names in it: what is known beside them is gone.
    pub fn end_list(&mut self) -> HashSet<String> {
        self.is_complete = true;
        std::mem::take(&mut self.listing)
    }

    /// Takes in that the watch has come to this state of an object, or to its end.
    pub fn watched(&mut self, metadata: &ObjectMeta) {
        self.version = self.version.max(version(metadata));
    }

    /// Whether a list has ended: before that nothing may be concluded from absence.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// The list of which a state is that is taken in now: to be kept with it.
    pub fn list(&self) -> u32 {
        self.list
    }

    /// Which of two states of an object counts, one `known` since a list and another that was told.
    pub fn which_counts(&self, known: &Packed, since: u32, other: &Packed) -> Counts {
        match self.counts(known.version(), since, other.version()) {
            false => Counts::Known,
            true if since != self.list && other.is_the_same_as(known) => Counts::Both,
            true => Counts::Other,
        }
    }

    /// Whether another state of an object counts more than the one `known` since a list, by their resourceVersions.
    pub fn counts(&self, known: u64, since: u32, other: u64) -> bool {
        since != self.list || other > known
    }

    /// Whether the answer to a request of ours may count. What was told already may since have been told to be gone.
    pub fn takes_answer(&self, metadata: &ObjectMeta) -> bool {
        version(metadata) > self.version
    }
}
