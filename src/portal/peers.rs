//! Whether other replicas have contact with the API server where this one has none: then nobody is to be sent here. If none has, all
//! stay ready, since people are to read why nobody can sign in, and whoever is signed in goes on for a while.

use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::join_all;
use http::Uri;
use tokio::net::lookup_host;
use tokio::time::{sleep, timeout};

use super::Portal;
use crate::adapters::probe::probe;
use crate::adapters::probes::CONTACT;

/// How often the others are asked, while there is no contact here.
const EVERY: Duration = Duration::from_secs(5);
/// Longest look-up of their addresses.
const LONGEST_LOOK_UP: Duration = Duration::from_secs(5);
/// Addresses that are asked: more than anybody runs replicas.
const MOST: usize = 16;

/// The other replicas.
#[derive(Debug)]
pub struct Peers {
    /// Host and port of their probes; the name may be of all of them, this one included. `None`: nobody says.
    at: Option<String>,
    have_contact: AtomicBool,
}

/// What they say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// Nobody says where they are.
    Unknown,
    /// None has contact, or none was asked since there is contact here.
    WithoutContact,
    /// One has.
    WithContact,
}

impl Peers {
    /// Those at this host and port.
    pub fn new(at: Option<String>) -> Self {
        Self { at, have_contact: AtomicBool::new(false) }
    }

    /// What they said last.
    pub fn others(&self) -> Others {
        match (&self.at, self.have_contact.load(Ordering::Relaxed)) {
            (None, _) => Others::Unknown,
            (Some(_), false) => Others::WithoutContact,
            (Some(_), true) => Others::WithContact,
        }
    }
}

/// Asks them now and then until it is dropped.
pub async fn keep(portal: &Portal) {
    let Some(at) = &portal.peers.at else { return pending().await };
    loop {
        let have_contact = !portal.contact.may_sign_in() && one_has_contact(at).await;
        portal.peers.have_contact.store(have_contact, Ordering::Relaxed);
        sleep(EVERY).await;
    }
}

/// Whether one has. This one, which is among them, says no.
async fn one_has_contact(at: &str) -> bool {
    let Ok(Ok(addresses)) = timeout(LONGEST_LOOK_UP, lookup_host(at)).await else { return false };
    let uris = addresses.take(MOST).filter_map(|address| format!("http://{address}{CONTACT}").parse::<Uri>().ok());
    join_all(uris.map(async |uri| probe(&uri, None).await.is_ok())).await.contains(&true)
}
