//! Lanes: what a slow key keeps back, and whether one that hangs is noticed.

use std::future::ready;
use std::pin::{Pin, pin};
use std::sync::Mutex;

use futures::FutureExt;

use super::*;
use crate::adapters::heart::HANGS_AFTER;
use crate::adapters::heart::test_heart::heart;

fn member(name: &str) -> Key {
    Key::Member(name.into())
}

/// Every lane gets some of so many.
fn fill(queue: &Queue, name: &str) {
    for number in 0..LANES * 32 {
        queue.add_after(member(&format!("{name}-{number}")), Urgency::Rest, Duration::ZERO);
        queue.add_after(Key::Account(format!("{name}-{number}").into()), Urgency::Access, Duration::ZERO);
    }
}

/// Each key lets the others have their turn, so it is polled as often as there are keys, and more.
async fn until_it_waits(mut run: Pin<&mut impl Future<Output = ()>>) {
    for _ in 0..2_000 {
        assert!(run.as_mut().now_or_never().is_none());
        yield_now().await;
    }
}

#[tokio::test]
async fn work_that_hangs_is_noticed_although_all_other_keys_are_worked_on() {
    let (passed, heart) = heart();
    let queue = Queue { heart: heart.clone(), ..Queue::new(Clock) };
    let work = |key| if key == Key::Clinic { pending().boxed() } else { ready(None).boxed() };
    let mut run = pin!(queue.run(work));
    fill(&queue, "at first");
    until_it_waits(run.as_mut()).await;
    assert_eq!(queue.depth(), Depth::default());
    *passed.lock().unwrap() = HANGS_AFTER;
    assert_eq!(heart.hangs(), Some("the queue"), "nothing woke a lane");
    fill(&queue, "while nothing hangs");
    until_it_waits(run.as_mut()).await;
    assert_eq!(heart.hangs(), None);
    queue.add_after(Key::Clinic, Urgency::Rest, Duration::ZERO);
    until_it_waits(run.as_mut()).await;
    *passed.lock().unwrap() = HANGS_AFTER * 2;
    fill(&queue, "while one hangs");
    until_it_waits(run.as_mut()).await;
    assert_eq!(heart.hangs(), Some("the queue"));
    assert_eq!(queue.depth().under_way, 1);
}

#[tokio::test]
async fn what_may_end_access_is_worked_on_while_every_lane_waits_for_a_slow_key() {
    let queue = Queue::new(Clock);
    let worked_on: Mutex<Vec<Key>> = Mutex::default();
    let work = |key: Key| {
        let is_slow = matches!(&key, Key::Member(name) if name.starts_with("slow"));
        worked_on.lock().unwrap().push(key);
        if is_slow { pending().boxed() } else { ready(None).boxed() }
    };
    let mut run = pin!(queue.run(work));
    for number in 0..LANES * 4 {
        queue.add_after(member(&format!("slow-{number}")), Urgency::Rest, Duration::ZERO);
    }
    until_it_waits(run.as_mut()).await;
    assert_eq!((queue.depth().under_way, queue.depth().waiting), (LANES, LANES * 3));
    queue.add_after(member("new"), Urgency::Rest, Duration::ZERO);
    queue.add_after(member("suspended"), Urgency::Access, Duration::ZERO);
    queue.add_after(Key::Account("a-1".into()), Urgency::Access, Duration::ZERO);
    until_it_waits(run.as_mut()).await;
    let worked_on = worked_on.lock().unwrap().split_off(LANES);
    assert_eq!(worked_on, [member("suspended"), Key::Account("a-1".into())]);
}

#[tokio::test]
async fn a_key_that_is_asked_for_while_it_is_worked_on_runs_again_and_never_twice_at_the_same_time() {
    let queue = Queue::new(Clock);
    let (begun, at_once) = (Mutex::new(0), Mutex::new(0));
    let (begun, at_once, ask) = (&begun, &at_once, &queue);
    let work = |key: Key| async move {
        *begun.lock().unwrap() += 1;
        *at_once.lock().unwrap() += 1;
        assert_eq!(*at_once.lock().unwrap(), 1);
        if *begun.lock().unwrap() < 3 {
            ask.add_after(key.clone(), Urgency::Access, Duration::ZERO);
            ask.add_after(key, Urgency::Rest, Duration::ZERO);
        }
        yield_now().await;
        *at_once.lock().unwrap() -= 1;
        None
    };
    let mut run = pin!(queue.run(work));
    queue.add_after(member("ana"), Urgency::Rest, Duration::ZERO);
    until_it_waits(run.as_mut()).await;
    assert_eq!((*begun.lock().unwrap(), queue.depth()), (3, Depth::default()));
}
