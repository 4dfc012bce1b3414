//! What lists and watches have told the cache of the controller: the rule is that of `adapters::kubernetes::Told`. The watches call it.

use std::collections::BTreeSet;
use std::sync::Arc;

use kube::api::DynamicObject;
use kube::core::ObjectMeta;

use super::index::Index;
use super::kind::Kind;
use crate::adapters::kubernetes::Told;
use crate::controller::queue::Key;

impl Index {
    /// Takes in that a list begins: whatever it tells counts more than what was known before.
    pub fn begin_list(&mut self, kind: Kind) {
        self.told.entry(kind).or_default().begin_list();
    }

    /// Takes in a state of an object from the list that has begun.
    pub fn list(&mut self, kind: Kind, object: DynamicObject) -> BTreeSet<Key> {
        self.told.entry(kind).or_default().lists(&object.metadata);
        self.apply(kind, object)
    }

    /// Takes in that the list is complete: what is known of the kind and was not listed is gone.
    pub fn end_list(&mut self, kind: Kind) -> BTreeSet<Key> {
        let names = self.told.entry(kind).or_default().end_list();
        let known: Vec<Arc<str>> = self.objects.get(&kind).into_iter().flat_map(|all| all.keys().cloned()).collect();
        let gone = known.iter().filter(|name| !names.contains(&***name));
        gone.flat_map(|name| self.remove(kind, name, None)).collect()
    }

    /// Takes in that the watch of a kind has come to this state of an object (or to its end); told in order.
    pub fn watched(&mut self, kind: Kind, metadata: &ObjectMeta) {
        self.told.entry(kind).or_default().watched(metadata);
    }

    /// Takes in the answer to a write of ours or to a live read, unless the watch is further.
    pub fn apply_answer(&mut self, kind: Kind, object: DynamicObject) -> BTreeSet<Key> {
        let is_taken = self.told.entry(kind).or_default().takes_answer(&object.metadata);
        if is_taken { self.apply(kind, object) } else { BTreeSet::new() }
    }

    /// Whether every kind was listed completely once. Before that nothing may be concluded from absence.
    pub fn is_complete(&self) -> bool {
        Kind::ALL.iter().all(|kind| self.told.get(kind).is_some_and(Told::is_complete))
    }
}

#[cfg(test)]
#[path = "lists_tests.rs"]
mod tests;
