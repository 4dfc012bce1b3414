//! What the controller says of itself to the kubelet and to Prometheus. Nothing here is about a member.

use jiff::SignedDuration;

use super::Controller;
use super::metrics::Now;
use crate::adapters::probes::Probed;
use crate::domain::guard::Guard;
use crate::domain::mailer::MailerStanding;

impl Probed for Controller {
    fn ready(&self) -> Result<(), &'static str> {
        if self.cache.read().is_complete() { Ok(()) } else { Err("the caches are not complete yet") }
    }

    fn metrics(&self) -> String {
        let held = {
            let index = self.cache.read();
            let holds = index.guards().holds();
            let of =
                |guard| holds.iter().filter(|(id, _)| Guard::of(id) == Some(guard)).map(|(_, all)| all.len()).sum();
            Guard::ALL.map(|guard| (guard, of(guard))).to_vec()
        };
        let mut now = Now { waiting: 0, oldest: SignedDuration::ZERO, mailer_fails: false, held };
        // Who does not lead has no mails that wait.
        if let Some(context) = self.current().as_ref() {
            let outbox = &context.outbox;
            let since = |since| context.clock.now().duration_since(since);
            now.waiting = outbox.len();
            now.oldest = outbox.oldest().map_or(SignedDuration::ZERO, since);
            now.mailer_fails = *context.mailer.borrow() != MailerStanding::Up && !outbox.is_idle();
        }
        self.metrics.text(&now)
    }
}
