//! The order in which lanes take keys.

use proptest::prelude::*;

use super::*;
use crate::adapters::clock::Clock;

fn member(name: &str) -> Key {
    Key::Member(name.into())
}

/// Takes a key that a lane is done with at once.
fn next(waiting: &mut Waiting, now: Instant) -> Option<Key> {
    let (key, _) = waiting.take(now, Takes::All).ok()?;
    assert_eq!(waiting.done(&key), None);
    Some(key)
}

#[test]
fn keys_come_once_in_the_order_of_their_time_and_the_earliest_request_counts() {
    let start = Clock.monotonic();
    let after = |seconds| start + Duration::from_secs(seconds);
    let [ana, bea] = ["ana", "bea"].map(member);
    let mut waiting = Waiting::default();
    for (key, seconds) in [(&ana, 3), (&bea, 2), (&ana, 1), (&bea, 4)] {
        waiting.add(key.clone(), Urgency::Rest, after(seconds));
    }
    assert_eq!(waiting.take(start, Takes::All), Err(Some(after(1))));
    assert_eq!(next(&mut waiting, after(5)), Some(ana));
    assert_eq!(next(&mut waiting, after(5)), Some(bea));
    assert_eq!(waiting.take(after(5), Takes::All), Err(None));
}

#[test]
fn keys_wait_from_when_their_time_comes_also_while_they_are_worked_on() {
    let start = Clock.monotonic();
    let after = |seconds| start + Duration::from_secs(seconds);
    let mut waiting = Waiting::default();
    waiting.add(member("ana"), Urgency::Rest, after(4));
    waiting.add(Key::Account("a-1".into()), Urgency::Mail, after(3));
    waiting.add(Key::Clinic, Urgency::Rest, after(60));
    assert_eq!(waiting.depth(after(2)), (0, Duration::ZERO));
    assert_eq!(waiting.depth(after(10)), (2, Duration::from_secs(7)));
    let (key, _) = waiting.take(after(10), Takes::All).unwrap();
    waiting.add(key.clone(), Urgency::Mail, after(8));
    assert_eq!((waiting.depth(after(10)), waiting.under_way()), ((2, Duration::from_secs(6)), 1));
    assert_eq!(waiting.done(&key), Some(Urgency::Mail));
}

/// What the urgency of a key is, and that it is taken next.
#[test]
fn with_thousands_of_keys_waiting_the_urgent_one_is_the_next_that_a_lane_takes() {
    let start = Clock.monotonic();
    let mut waiting = Waiting::default();
    for number in 0..4_000 {
        waiting.add(member(&format!("new-{number}")), Urgency::Rest, start);
        waiting.add(Key::Account(format!("a-{number}").into()), Urgency::Mail, start);
        waiting.add(member(&format!("old-{number}")), Urgency::Accepted, start);
    }
    let now = start + Duration::from_secs(1);
    let order = [("suspended", Urgency::Access), ("old-7", Urgency::Access), ("new-3999", Urgency::Access)];
    for (name, urgency) in order {
        waiting.add(member(name), urgency, now);
        let (key, taken) = waiting.take(now, Takes::MostUrgent).unwrap();
        assert_eq!((key, taken), (member(name), Urgency::Access));
    }
    waiting.add(member("suspended-too"), Urgency::Access, now);
    assert_eq!(next(&mut waiting, now), Some(member("suspended-too")));
    assert!(waiting.take(now, Takes::MostUrgent).is_err(), "the lanes of the urgent ones take nothing else");
    let kinds: Vec<Urgency> = (0..7).map(|_| waiting.take(now, Takes::All).unwrap().1).collect();
    assert!(kinds.iter().all(|urgency| *urgency < Urgency::Rest), "{kinds:?}");
}

#[test]
fn what_is_cleared_is_forgotten_but_what_is_worked_on_is_still_not_taken_twice() {
    let now = Clock.monotonic();
    let mut waiting = Waiting::default();
    waiting.add(member("ana"), Urgency::Rest, now);
    waiting.add(member("bea"), Urgency::Rest, now);
    let (key, _) = waiting.take(now, Takes::All).unwrap();
    waiting.clear();
    waiting.add(key.clone(), Urgency::Access, now);
    assert_eq!(waiting.take(now, Takes::All), Err(None));
    assert_eq!(waiting.done(&key), Some(Urgency::Access));
    assert_eq!(next(&mut waiting, now), Some(key));
}

proptest! {
    /// Whatever is asked for meanwhile, as often and as urgently as may be: a key that waits is taken after as many turns as keys wait
    /// longer than it, times the turns of which one gives way.
    #[test]
    fn nobody_waits_for_ever(
        before in prop::collection::vec((0..40_u32, 0..4_usize), 0..60),
        urgency in 0..4_usize,
        meanwhile in prop::collection::vec((0..40_u32, 0..4_usize), 1..40),
    ) {
        let start = Clock.monotonic();
        let mut waiting = Waiting::default();
        for (number, (name, of)) in before.iter().enumerate() {
            let since = start + Duration::from_millis(number as u64);
            waiting.add(member(&name.to_string()), Urgency::ALL[*of], since);
        }
        let mut now = start + Duration::from_secs(1);
        waiting.add(Key::Removals, Urgency::ALL[urgency], now);
        let (ahead, _) = waiting.depth(now);
        let most = ahead * TURNS_OF_WHICH_ONE_GIVES_WAY as usize;
        let mut turns = 0;
        loop {
            for (name, of) in &meanwhile {
                now += Duration::from_millis(1);
                waiting.add(member(&name.to_string()), Urgency::ALL[*of], now);
            }
            turns += 1;
            if next(&mut waiting, now) == Some(Key::Removals) {
                break;
            }
            prop_assert!(turns <= most, "still waiting after {} turns, {} were ahead", turns, ahead);
        }
    }
}
