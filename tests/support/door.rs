//! Records and statuses written by hand, although the admission policies refuse it: in restore mode, or in the name of the part whose
//! they are. Never here: what is written.

use clinic_operator::adapters::clock::Clock;
use clinic_operator::domain::restore::{RESTORE_MODE, open_until};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::control_plane::{ControlPlane, Namespace, control_plane};
use super::wait::{PATIENCE, eventually_ok};

/// For how long tests turn restore mode on.
const OPEN_FOR: SignedDuration = SignedDuration::from_hours(1);

/// The argument of `kubectl annotate` that turns restore mode on, for parts whose clocks show this instant.
pub(crate) fn open_at(now: Timestamp) -> String {
    format!("{RESTORE_MODE}={}", open_until(now + OPEN_FOR))
}

/// The one that turns it off.
pub(crate) fn shut() -> String {
    format!("{RESTORE_MODE}-")
}

/// A namespace whose restore mode is on until this is dropped.
#[must_use = "the mode ends when this is dropped"]
pub(crate) struct OpenDoor<'a>(&'a Namespace);

impl Namespace {
    /// Turns restore mode on and waits until that counts. A controller of the namespace stands still meanwhile, and up to half a
    /// minute longer: turn it on before one is started, or stop that one first. One whose clock a test has set ahead ends it.
    pub(crate) fn open_door(&self) -> OpenDoor<'_> {
        control_plane().kubectl(self, &["annotate", "namespace", self.name(), &open_at(Clock.now())]).ok();
        eventually_ok(PATIENCE, "the door to be open", || try_by_hand(control_plane(), self).map(drop));
        OpenDoor(self)
    }

    /// Writes by hand what only the parts of the program may write.
    pub(crate) fn by_hand<T>(&self, act: impl FnOnce() -> T) -> T {
        let _open = self.open_door();
        act()
    }

    /// The controller's user name.
    pub(crate) fn controller(&self) -> String {
        format!("system:serviceaccount:{}:clinic-operator", self.name())
    }

    /// The portal's user name.
    pub(crate) fn portal(&self) -> String {
        format!("system:serviceaccount:{}:clinic-operator-portal", self.name())
    }
}

/// Waits until the policies refuse what is written by hand: they count a moment after they were applied, and so does the annotation.
/// What refuses here stands last in `crds/policies.yaml`, so all of it counts by then.
pub(crate) fn wait_until_shut(control_plane: &ControlPlane, namespace: &Namespace) {
    eventually_ok(PATIENCE, "the policies to refuse what is written by hand", || {
        match try_by_hand(control_plane, namespace) {
            Err(refusal) if refusal.contains("only the controller of namespace") => Ok(()),
            other => Err(other),
        }
    });
}

/// Tries, without effect, whether an administrator may write a claim.
pub(crate) fn try_by_hand(control_plane: &ControlPlane, namespace: &Namespace) -> Result<Value, String> {
    let claim = json!({
        "apiVersion": "clinic-operator.dev/v1alpha1",
        "kind": "EmailClaim",
        "metadata": {"name": "e-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
        "spec": {"account": "a-00000000-0000-4000-8000-000000000000"},
    });
    control_plane.ask(None, "POST", &format!("{}?dryRun=All", namespace.path("emailclaims")), Some(&claim))
}

impl Drop for OpenDoor<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        control_plane().kubectl(self.0, &["annotate", "namespace", self.0.name(), &shut()]).ok();
        wait_until_shut(control_plane(), self.0);
    }
}
