//! What the API server would say to a manifest, without one: the schema and the CEL rules of the same CRDs that are installed, and
//! what it asks of every object's metadata. All violations at once. What other objects or the time say never lives here.

mod cel;
mod finding;
mod metadata;
mod node;
mod patterns;
mod trail;
mod walk;
mod words;

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use serde_json::Value;

use self::cel::Evaluator;
pub use self::cel::RuleError;
pub use self::finding::{Finding, Path, Problem, Step};
use self::node::Node;
use self::trail::Trail;
use self::walk::Walk;
pub use self::words::alike;
use super::crds::crds;

const METADATA: &str = "metadata";
const STATUS: &str = "status";

/// Checks objects of this group.
pub struct Checker {
    kinds: BTreeMap<String, Node>,
    evaluator: Evaluator,
}

impl Checker {
    /// Compiles the CRDs.
    ///
    /// # Errors
    /// A rule that is no CEL, which a test of the CRDs excludes.
    pub fn new() -> Result<Self, RuleError> {
        let mut kinds = BTreeMap::new();
        for crd in crds() {
            let schemas = crd.spec.versions.into_iter().filter_map(|version| version.schema);
            for schema in schemas.filter_map(|schema| schema.open_api_v3_schema) {
                kinds.insert(crd.spec.names.kind.clone(), Node::compile(&whole(schema))?);
            }
        }
        Ok(Self { kinds, evaluator: Evaluator::new() })
    }

    /// The kinds of this group.
    pub fn kinds(&self) -> impl Iterator<Item = &str> + Clone {
        self.kinds.keys().map(String::as_str)
    }

    /// Every violation of `object`, which is of `kind`; `before`: the same object as it is stored, where it is changed. A rule is
    /// asked where everything that it sees has the right shape. Of a kind that is not of this group nothing is said.
    pub fn check(&self, kind: &str, object: &Value, before: Option<&Value>) -> Vec<Finding> {
        self.defaulted(kind, object.clone(), before).1
    }

    /// The same, and the object as the API server would keep it: without a status and nulls, and with defaults.
    pub fn defaulted(&self, kind: &str, mut object: Value, before: Option<&Value>) -> (Value, Vec<Finding>) {
        let Some(root) = self.kinds.get(kind) else { return (object, Vec::new()) };
        // What people write of a status is dropped before anything looks at it.
        if let Some(fields) = object.as_object_mut() {
            fields.remove(STATUS);
        }
        let mut walk = Walk { evaluator: &self.evaluator, root, findings: Vec::new() };
        walk.node(root, &Trail::Object, &mut object, before);
        let mut findings = walk.findings;
        findings.extend(metadata::keys(&object));
        (object, findings)
    }
}

/// The schema of an object as people write it: with all of its metadata, and without a status.
fn whole(mut schema: JSONSchemaProps) -> JSONSchemaProps {
    let fields = schema.properties.get_or_insert_default();
    fields.insert(METADATA.to_owned(), metadata::schema());
    fields.remove(STATUS);
    schema.required.get_or_insert_default().push(METADATA.to_owned());
    schema
}

#[cfg(test)]
mod tests;
