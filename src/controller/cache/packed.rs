//! Objects as the cache holds them: pruned JSON text, about a fifth of the size of the Rust value with its maps and strings.
//! A reconcile unpacks the few it needs, which costs microseconds beside the milliseconds of an API write.

use kube::api::DynamicObject;
use kube::core::ObjectMeta;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::adapters::kubernetes::Guard;
use crate::api::GROUP;

/// One object of any kind.
#[derive(Clone, Debug)]
pub struct Packed {
    text: Box<str>,
    resource_version: u64,
}

#[derive(Serialize, Deserialize)]
struct Parts {
    metadata: ObjectMeta,
    #[serde(flatten)]
    data: Value,
}

impl Packed {
    /// Packs an object as it came from the API server. Managed fields, labels and foreign annotations are not kept: nothing
    /// here reads them.
    pub fn new(object: DynamicObject) -> Self {
        let DynamicObject { metadata, data, .. } = object;
        let resource_version = version(&metadata);
        let text = serde_json::to_string(&Parts { metadata: pruned(metadata), data }).unwrap_or_default();
        Self { text: text.into_boxed_str(), resource_version }
    }

    /// The object as its type; `None` if it does not fit the type (it was stored under another CRD).
    pub fn unpack<K: DeserializeOwned>(&self) -> Option<K> {
        serde_json::from_str(&self.text).ok()
    }

    /// Whether this is a later state of the object than `other`. Resource versions of one resource are ordered numbers
    /// (Kubernetes API concepts, "Resource versions").
    pub fn is_newer_than(&self, other: &Self) -> bool {
        self.resource_version > other.resource_version
    }
}

/// The resourceVersion as a number.
pub fn version(metadata: &ObjectMeta) -> u64 {
    metadata.resource_version.as_deref().and_then(|version| version.parse().ok()).unwrap_or(0)
}

fn pruned(metadata: ObjectMeta) -> ObjectMeta {
    let ours = |name: &String| name.split('/').next() == Some(GROUP);
    let annotations = metadata.annotations.map(|all| all.into_iter().filter(|(name, _)| ours(name)).collect());
    ObjectMeta {
        name: metadata.name,
        uid: metadata.uid,
        resource_version: metadata.resource_version,
        generation: metadata.generation,
        creation_timestamp: metadata.creation_timestamp,
        annotations,
        ..ObjectMeta::default()
    }
}

/// What a write of an object that was read with this metadata is guarded by.
pub fn guard(metadata: &ObjectMeta) -> Guard {
    Guard {
        uid: metadata.uid.clone().unwrap_or_default(),
        resource_version: metadata.resource_version.clone().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::EmailClaim;
    use serde_json::json;

    fn object(version: &str) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "clinic-operator.dev/v1alpha1", "kind": "EmailClaim",
            "metadata": {
                "name": "e-1", "namespace": "maple", "uid": "u", "resourceVersion": version,
                "annotations": {"clinic-operator.dev/resend": "1", "kubectl.kubernetes.io/last-applied-configuration": "{}"},
                "managedFields": [{"manager": "kubectl"}], "labels": {"app": "x"},
            },
            "spec": {"account": "a-1"},
        }))
        .unwrap()
    }

    #[test]
    fn what_nothing_reads_is_not_kept_and_the_rest_comes_back() {
        let packed = Packed::new(object("7"));
        let claim: EmailClaim = packed.unpack().unwrap();
        assert_eq!(claim.spec.account, "a-1");
        assert_eq!(claim.metadata.annotations.unwrap().len(), 1);
        assert!(!packed.text.contains("managedFields") && !packed.text.contains("labels"));
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(Packed::new(object("10")).is_newer_than(&Packed::new(object("9"))));
        assert!(!Packed::new(object("9")).is_newer_than(&Packed::new(object("9"))));
    }
}
