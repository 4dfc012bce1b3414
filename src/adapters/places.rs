//! Places to wait for a processor, so shared out that no crowd takes them all: those who are known have places of their own, and of
//! the others one network has a share. What is waited for never stands here.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Places of those who are known, together and of one person.
pub const OF_THE_KNOWN: usize = 16;
/// See [`OF_THE_KNOWN`].
pub const OF_ONE_KNOWN: usize = 4;
/// Places of everybody else, together and of one network.
pub const OF_STRANGERS: usize = 48;
/// See [`OF_STRANGERS`].
pub const OF_A_NETWORK: usize = 16;

/// Who wants a place.
#[derive(Clone, Copy, Debug)]
pub struct Asker {
    /// The network that they ask from.
    pub network: IpAddr,
    /// What they are known as, if they are.
    pub known_as: Option<[u8; 32]>,
}

/// Whose share a place is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Share {
    Known([u8; 32]),
    Network(IpAddr),
}

/// The places.
#[derive(Debug, Default)]
pub struct Places {
    taken: Mutex<HashMap<Share, usize>>,
}

/// A place that is taken as long as this is there.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    share: Share,
}

impl Places {
    /// A place, if there is one. Those who are known take one of the others' if there is none of their own.
    pub fn take(self: &Arc<Self>, asker: Asker) -> Option<Place> {
        let shares = [asker.known_as.map(Share::Known), Some(Share::Network(asker.network))];
        let mut taken = self.taken();
        let share = shares.into_iter().flatten().find(|share| share.has_room(&taken))?;
        *taken.entry(share).or_default() += 1;
        drop(taken);
        Some(Place { places: Arc::clone(self), share })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<Share, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    fn has_room(self, taken: &HashMap<Self, usize>) -> bool {
        let all_of = |is_such: fn(&Self) -> bool| -> usize {
            taken.iter().filter(|(share, _)| is_such(share)).map(|(_, count)| count).sum()
        };
        let mine = taken.get(&self).copied().unwrap_or(0);
        match self {
            Self::Known(_) => mine < OF_ONE_KNOWN && all_of(|share| matches!(share, Self::Known(_))) < OF_THE_KNOWN,
            Self::Network(_) => mine < OF_A_NETWORK && all_of(|share| matches!(share, Self::Network(_))) < OF_STRANGERS,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        let left = taken.get(&self.share).map_or(0, |count| count.saturating_sub(1));
        if left == 0 {
            taken.remove(&self.share);
        } else {
            taken.insert(self.share, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stranger(network: u8) -> Asker {
        Asker { network: IpAddr::from([192, 0, network, 0]), known_as: None }
    }

    fn known(person: u8, network: u8) -> Asker {
        Asker { known_as: Some([person; 32]), ..stranger(network) }
    }

    #[test]
    fn one_network_has_a_share_and_those_who_are_known_have_places_however_many_strangers_there_are() {
        let places = Arc::new(Places::default());
        let all = |asker: &dyn Fn() -> Asker| -> Vec<Place> { (0..100).map_while(|_| places.take(asker())).collect() };
        let crowd = all(&|| stranger(1));
        assert_eq!(crowd.len(), OF_A_NETWORK);
        let others: Vec<_> = (2..100).flat_map(|network| all(&|| stranger(network))).collect();
        assert_eq!(crowd.len() + others.len(), OF_STRANGERS);
        let ana = all(&|| known(1, 1));
        let members: Vec<_> = (2..100).flat_map(|person| all(&|| known(person, 1))).collect();
        assert_eq!((ana.len(), ana.len() + members.len()), (OF_ONE_KNOWN, OF_THE_KNOWN));
        drop((others, members));
        assert_eq!(all(&|| known(1, 2)).len(), OF_A_NETWORK, "beyond their own as anybody of their network");
        drop((crowd, ana));
        assert!(places.taken().is_empty());
    }

    #[test]
    fn the_page_has_these_numbers() {
        let page = include_str!("../../docs/portal.md").split_whitespace().collect::<Vec<_>>().join(" ");
        let said = format!(
            "{OF_THE_KNOWN} sign-ins in known browsers, {OF_ONE_KNOWN} of one person, and {OF_STRANGERS} others, {OF_A_NETWORK} of one network"
        );
        assert!(page.contains(&said), "docs/portal.md must say: {said}");
    }
}
