//! What the controller says of itself to the kubelet and to Prometheus. Nothing here is about a member.

use jiff::SignedDuration;

use super::context::Context;
use super::metrics::Now;
use crate::adapters::probes::Probed;
use crate::domain::guard::Guard;
use crate::domain::mailer::MailerStanding;

impl Probed for Context {
    fn alive(&self) -> Result<(), &'static str> {
        self.cache.heart().hangs().map_or(Ok(()), Err)
    }

    fn ready(&self) -> Result<(), &'static str> {
        if self.cache.read().is_complete() { Ok(()) } else { Err("the caches are not complete yet") }
    }

    fn metrics(&self) -> String {
        let now = self.clock.now();
        let (members, earliest_end, next_end, held) = {
            let index = self.cache.read();
            let holds = index.guards().holds();
            let of =
                |guard| holds.iter().filter(|(id, _)| Guard::of(id) == Some(guard)).map(|(_, all)| all.len()).sum();
            let held = Guard::ALL.map(|guard| (guard, of(guard))).to_vec();
            let ends = index.ends();
            (index.census().into_iter().collect(), ends.earliest(), ends.next(now), held)
        };
        self.metrics.text(&Now {
            queue: self.cache.depth(),
            members,
            overdue: earliest_end.map_or(SignedDuration::ZERO, |end| now.duration_since(end)),
            next_end: next_end.map(|end| end.duration_since(now)),
            waiting: self.outbox.len(),
            oldest: self.outbox.oldest().map_or(SignedDuration::ZERO, |since| now.duration_since(since)),
            mailer_fails: *self.mailer.borrow() != MailerStanding::Up && !self.outbox.is_idle(),
            held,
        })
    }
}
