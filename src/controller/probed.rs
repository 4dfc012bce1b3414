//! What the controller says of itself to the kubelet and to Prometheus. Nothing here is about a member.

use jiff::SignedDuration;

use super::Controller;
use super::metrics::Now;
use super::queue::Depth;
use crate::adapters::clock::Clock;
use crate::adapters::probes::Probed;
use crate::domain::guard::Guard;
use crate::domain::mailer::MailerStanding;
use crate::domain::restore::RestoreMode;

impl Probed for Controller {
    fn alive(&self) -> Result<(), &'static str> {
        self.cache.heart().hangs().map_or(Ok(()), Err)
    }

    fn ready(&self) -> Result<(), &'static str> {
        if self.cache.read().is_complete() { Ok(()) } else { Err("the caches are not complete yet") }
    }

    fn metrics(&self) -> String {
        let now = Clock.now();
        let (members, earliest_end, next_end, held) = {
            let index = self.cache.read();
            let holds = index.guards().holds();
            let of =
                |guard| holds.iter().filter(|(id, _)| Guard::of(id) == Some(guard)).map(|(_, all)| all.len()).sum();
            let held = Guard::ALL.map(|guard| (guard, of(guard))).to_vec();
            let ends = index.ends();
            (index.census().into_iter().collect(), ends.earliest(), ends.next(now), held)
        };
        let mut seen = Now {
            restore_mode: self.restore_mode.borrow().map_or(RestoreMode::Off, |mode| mode),
            now,
            queue: Depth::default(),
            members,
            overdue: earliest_end.map_or(SignedDuration::ZERO, |end| now.duration_since(end)),
            next_end: next_end.map(|end| end.duration_since(now)),
            waiting: 0,
            oldest: SignedDuration::ZERO,
            mailer_fails: false,
            held,
        };
        // Of who does not lead nothing is waited for.
        if let Some(context) = self.current().as_ref() {
            let outbox = &context.outbox;
            seen.queue = self.cache.depth();
            seen.waiting = outbox.len();
            seen.oldest = outbox.oldest().map_or(SignedDuration::ZERO, |since| now.duration_since(since));
            seen.mailer_fails = *context.mailer.borrow() != MailerStanding::Up && !outbox.is_idle();
        }
        self.metrics.text(&seen)
    }
}
