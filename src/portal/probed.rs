//! What the portal says of itself to the kubelet and to Prometheus. Nothing here is about a member.

use super::Portal;
use super::metrics::Now;
use crate::adapters::probes::Probed;
use crate::domain::restore::RestoreMode;

impl Probed for Portal {
    fn alive(&self) -> Result<(), &'static str> {
        self.heart.hangs().map_or(Ok(()), Err)
    }

    fn ready(&self) -> Result<(), &'static str> {
        if !*self.records.complete().borrow() {
            Err("the records are not complete yet")
        } else if self.contact.may_stay() {
            Ok(())
        } else {
            Err("no contact with the API server")
        }
    }

    fn metrics(&self) -> String {
        self.metrics.text(&Now {
            not_by_current: self.keys.found(),
            hashes: self.passwords.computed(),
            silent_for: self.contact.silent_for(),
            restore_mode: self.restore_mode.borrow().map_or(RestoreMode::Off, |mode| mode),
            now: self.clock.now(),
        })
    }
}
