//! Objects as the cache holds them: pruned JSON text, compressed with a dictionary of what such texts have in common, about a
//! twentieth of the size of the Rust value with its maps and strings. A reconcile unpacks the few it needs, which costs
//! microseconds beside the milliseconds of an API write.

use kube::api::DynamicObject;
use kube::core::ObjectMeta;
use lz4_flex::block::{compress_prepend_size_with_dict, decompress_size_prepended_with_dict};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::GROUP;

/// A member, an account and a claim as [`Packed::new`] writes them: only what differs from these is stored. It is never read
/// as objects, so a dictionary that is out of date costs memory and nothing else.
const DICTIONARY: &[u8] = include_bytes!("dictionary.txt");

/// One object of any kind.
#[derive(Clone, Debug)]
pub struct Packed {
    /// LZ4 block with its length before it.
    compressed: Box<[u8]>,
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
        let text = serde_json::to_vec(&Parts { metadata: pruned(metadata), data }).unwrap_or_default();
        let compressed = compress_prepend_size_with_dict(&text, DICTIONARY);
        // A box of its own length: the compressor's buffer is as long as the text.
        Self { compressed: Box::from(compressed.as_slice()), resource_version }
    }

    /// What is kept of the object's metadata, whatever its type; nothing if it cannot be read.
    pub fn metadata(&self) -> ObjectMeta {
        self.unpack::<Parts>().map(|parts| parts.metadata).unwrap_or_default()
    }

    /// The object as its type; `None` if it does not fit the type (it was stored under another CRD).
    pub fn unpack<K: DeserializeOwned>(&self) -> Option<K> {
        let text = decompress_size_prepended_with_dict(&self.compressed, DICTIONARY).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Whether nothing that is kept differs.
    pub fn is_the_same_as(&self, other: &Self) -> bool {
        self.compressed == other.compressed
    }

    /// The object's resourceVersion.
    pub fn version(&self) -> u64 {
        self.resource_version
    }
}

/// The resourceVersion as a number: those of one resource are ordered (Kubernetes API concepts, "Resource versions").
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
        // They say what keeps an object that is being deleted.
        finalizers: metadata.finalizers.filter(|_| metadata.deletion_timestamp.is_some()),
        deletion_timestamp: metadata.deletion_timestamp,
        ..ObjectMeta::default()
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
        assert_eq!((claim.metadata.managed_fields, claim.metadata.labels), (None, None));
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(Packed::new(object("10")).version() > Packed::new(object("9")).version());
    }
}
