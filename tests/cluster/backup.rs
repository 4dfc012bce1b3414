//! A clinic that is lost and comes back from a backup as docs/restore.md takes it: without UIDs and statuses, the Clinic last. And
//! manifests that somebody deletes while a finalizer keeps them. Never here: a test.

use serde_json::{Value, json};

use crate::support::control_plane::control_plane;
use crate::world::World;

/// The kinds of a backup, in the order in which they are brought back.
const KINDS: [&str; 5] = ["clinicusers", "clinicserviceaccounts", "clinicaccounts", "emailclaims", "clinics"];
/// What keeps a manifest that somebody deletes.
pub(crate) const FINALIZER: &str = "backup.example/copy";

impl World {
    /// Loses every object and brings it back, while no operator runs.
    pub(crate) fn lose_and_restore(&self) {
        let kept: Vec<String> = KINDS.iter().filter_map(|kind| self.kept(kind)).collect();
        for user in self.names("clinicusers") {
            self.let_go(&user);
        }
        self.namespace.by_hand(|| {
            for kind in KINDS {
                self.kubectl(&["delete", kind, "--all"]);
            }
            for objects in &kept {
                control_plane().kubectl_stdin(&self.namespace, &["create", "-f", "-"], objects).ok();
            }
        });
    }

    /// What a backup keeps of each object of a kind, if there is any that is not being deleted.
    fn kept(&self, kind: &str) -> Option<String> {
        let mut objects = self.objects(kind);
        objects.retain(|object| object["metadata"]["deletionTimestamp"] == Value::Null);
        for object in &mut objects {
            let metadata = object["metadata"].as_object_mut().unwrap();
            metadata.retain(|field, _| ["name", "namespace", "labels", "annotations"].contains(&field.as_str()));
            object.as_object_mut().unwrap().remove("status");
        }
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        (!objects.is_empty()).then(|| list.to_string())
    }

    /// Deletes a manifest that a finalizer keeps.
    pub(crate) fn delete_with_a_finalizer(&self, name: &str) {
        if self.object("clinicuser", name)["metadata"]["deletionTimestamp"] == Value::Null {
            self.finalizers(name, &json!([FINALIZER]));
            self.kubectl(&["delete", "clinicuser", name, "--wait=false"]);
        }
    }

    /// Lets an object go that a finalizer keeps.
    pub(crate) fn let_go(&self, name: &str) {
        self.finalizers(name, &Value::Null);
    }

    fn finalizers(&self, name: &str, finalizers: &Value) {
        let patch = json!({"metadata": {"finalizers": finalizers}}).to_string();
        self.kubectl(&["patch", "clinicuser", name, "--type=merge", "-p", &patch]);
    }
}
