//! What the portal says of itself to the kubelet and to Prometheus. Nothing here is about a member.

use super::Portal;
use super::metrics::Now;
use super::peers::Others;
use crate::adapters::probes::Probed;
use crate::domain::restore::RestoreMode;

impl Portal {
    /// Whether people are to be sent here: where nobody can sign in only if nobody can anywhere.
    fn is_sent_people(&self) -> Result<(), &'static str> {
        match self.peers.others() {
            Others::Unknown if !self.contact.may_stay() => Err("no contact with the API server"),
            Others::WithContact if !self.contact.may_sign_in() => {
                Err("no contact with the API server, which other replicas have")
            }
            Others::Unknown | Others::WithoutContact | Others::WithContact => Ok(()),
        }
    }
}

impl Probed for Portal {
    fn alive(&self) -> Result<(), &'static str> {
        self.heart.hangs().map_or(Ok(()), Err)
    }

    fn ready(&self) -> Result<(), &'static str> {
        if *self.records.complete().borrow() { self.is_sent_people() } else { Err("the records are not complete yet") }
    }

    fn contact(&self) -> Result<(), &'static str> {
        if self.contact.may_sign_in() { Ok(()) } else { Err("no contact with the API server") }
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
