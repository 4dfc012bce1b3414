//! Places to wait for a processor, so shared out that no crowd takes them all: those who are known have places of their own, one person
//! or network has a share, and whoever comes with fewer takes a place of whoever has the most. What is waited for never stands here.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

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
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    /// Of the next one: the higher, the later.
    number: u64,
    by_number: BTreeMap<u64, Holder>,
}

#[derive(Debug)]
struct Holder {
    share: Share,
    /// Says that the place is somebody else's.
    displace: oneshot::Sender<()>,
}

/// A place.
#[derive(Debug)]
pub struct Place {
    /// It is taken as long as this is there.
    pub ticket: Ticket,
    /// Gets a word if another has taken the place.
    pub displaced: oneshot::Receiver<()>,
}

/// See [`Place`].
#[derive(Debug)]
pub struct Ticket {
    places: Arc<Places>,
    number: u64,
}

impl Places {
    /// A place, if there is one or the one who has the most can do with one less. Those who are known take one of the others' if there is
    /// none of their own.
    pub fn take(self: &Arc<Self>, asker: Asker) -> Option<Place> {
        let shares = [asker.known_as.map(Share::Known), Some(Share::Network(asker.network))];
        let mut taken = self.taken();
        let share = shares.into_iter().flatten().find(|share| taken.make_room(*share))?;
        taken.number += 1;
        let number = taken.number;
        let (displace, displaced) = oneshot::channel();
        taken.by_number.insert(number, Holder { share, displace });
        drop(taken);
        Some(Place { ticket: Ticket { places: Arc::clone(self), number }, displaced })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Whether there is room for one more of this share. If all places are taken, the last one goes of the share that has the most, unless
    /// that has no more than this one then.
    fn make_room(&mut self, share: Share) -> bool {
        let (of_all, of_one) = share.most();
        let mut counts: HashMap<Share, usize> = HashMap::new();
        let alike = self.by_number.values().filter(|holder| holder.share.is_known() == share.is_known());
        alike.for_each(|holder| *counts.entry(holder.share).or_default() += 1);
        let mine = counts.get(&share).copied().unwrap_or(0);
        if mine >= of_one || counts.values().sum::<usize>() < of_all {
            return mine < of_one;
        }
        let Some((most, _)) = counts.into_iter().filter(|(_, count)| *count > mine + 1).max_by_key(|(_, count)| *count)
        else {
            return false;
        };
        let last = self.by_number.iter().rev().find(|(_, holder)| holder.share == most).map(|(number, _)| *number);
        if let Some(holder) = last.and_then(|last| self.by_number.remove(&last)) {
            // Nobody may wait for it any more.
            let _ = holder.displace.send(());
        }
        true
    }
}

impl Share {
    fn is_known(self) -> bool {
        match self {
            Self::Known(_) => true,
            Self::Network(_) => false,
        }
    }

    /// Of all alike, and of one.
    fn most(self) -> (usize, usize) {
        if self.is_known() { (OF_THE_KNOWN, OF_ONE_KNOWN) } else { (OF_STRANGERS, OF_A_NETWORK) }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.places.taken().by_number.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot::error::TryRecvError;

    fn stranger(network: u8) -> Asker {
        Asker { network: IpAddr::from([192, 0, network, 0]), known_as: None }
    }

    fn known(person: u8, network: u8) -> Asker {
        Asker { known_as: Some([person; 32]), ..stranger(network) }
    }

    fn all(places: &Arc<Places>, asker: Asker) -> Vec<Place> {
        (0..100).map_while(|_| places.take(asker)).collect()
    }

    /// How many of them nobody has displaced.
    fn kept(all: &mut [Place]) -> usize {
        all.iter_mut()
            .filter_map(|place| (place.displaced.try_recv() == Err(TryRecvError::Empty)).then_some(()))
            .count()
    }

    #[test]
    fn one_network_has_a_share_and_the_next_network_takes_a_place_of_whoever_has_the_most() {
        let places = Arc::new(Places::default());
        let mut crowd: Vec<_> = (1..4).map(|network| all(&places, stranger(network))).collect();
        assert_eq!(crowd.iter().map(Vec::len).collect::<Vec<_>>(), [OF_A_NETWORK; 3], "all places");
        let first = places.take(stranger(9)).unwrap();
        assert_eq!(crowd.iter_mut().map(|all| kept(all)).sum::<usize>(), OF_STRANGERS - 1);
        let mut others: Vec<_> = (10..54).map(|network| places.take(stranger(network)).unwrap()).collect();
        assert_eq!((kept(&mut others), crowd.iter_mut().map(|all| kept(all)).sum()), (44, 3));
        assert!(places.take(stranger(100)).is_none(), "each network has one");
        drop((crowd, others, first));
        assert!(places.taken().by_number.is_empty());
    }

    #[test]
    fn those_who_are_known_have_places_however_many_strangers_there_are() {
        let places = Arc::new(Places::default());
        let strangers: Vec<_> = (1..100).flat_map(|network| all(&places, stranger(network))).collect();
        let ana = all(&places, known(1, 101));
        assert_eq!(ana.len(), OF_ONE_KNOWN);
        let mut members: Vec<_> = (2..5).flat_map(|person| all(&places, known(person, 101))).collect();
        assert_eq!(ana.len() + members.len(), OF_THE_KNOWN);
        let next = places.take(known(5, 101)).unwrap();
        assert!(kept(&mut members) >= members.len() - 1);
        drop(strangers);
        assert_eq!(all(&places, known(1, 101)).len(), OF_A_NETWORK, "beyond their own as anybody of their network");
        drop((ana, members, next));
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
