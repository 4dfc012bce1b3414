//! Waiting until the operator has done what was asked, and saying meanwhile how it stands. What is waited for never stands here.

use std::time::Duration;

use tokio::time::sleep;

use super::failure::Failure;
use super::session::Session;
use crate::adapters::output::{plain, tell};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Whether to wait, and for how long.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Only ask for it; do not wait until it is done
    #[arg(long)]
    no_wait: bool,
    /// Wait so long at most
    #[arg(long, value_name = "SECONDS", default_value_t = 120, conflicts_with = "no_wait")]
    timeout: u32,
}

/// How it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Not yet: how it stands.
    Waiting(String),
    /// Done: what to tell.
    Done(String),
    /// It will not be done: why.
    Not(String),
}

impl Patience {
    pub(super) fn waits(self) -> bool {
        !self.no_wait
    }

    /// Looks until it is done. `later` says, when the time is up, what happens then.
    ///
    /// # Errors
    /// A look that failed, [`Failure::NotDone`]: it will not be done, or the time is up.
    pub(super) async fn until(
        self,
        session: &Session,
        later: &str,
        mut look: impl AsyncFnMut() -> Result<Progress, Failure>,
    ) -> Result<String, Failure> {
        let limit = Duration::from_secs(u64::from(self.timeout));
        let started = session.clock.monotonic();
        let mut told = String::new();
        loop {
            match look().await? {
                Progress::Done(text) => return Ok(text),
                Progress::Not(why) => return Err(Failure::NotDone(why)),
                Progress::Waiting(how) => {
                    let how = plain(&how);
                    if started.elapsed() >= limit {
                        let how = if how.is_empty() { how } else { format!(" ({how})") };
                        return Err(Failure::NotDone(format!("not done within {} s{how}; {later}", self.timeout)));
                    }
                    if how != told && !how.is_empty() {
                        tell(&how);
                        told = how;
                    }
                }
            }
            sleep(LOOK_EVERY).await;
        }
    }
}
