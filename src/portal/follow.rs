//! Files that may be replaced while the portal runs: they are read again and again. What is in them never stands here.

use std::fmt::Display;
use std::time::Duration;

use tokio::time::sleep;
use tracing::{info, warn};

/// How often files are read.
const EVERY: Duration = Duration::from_secs(10);

/// Takes files in again and again until it is dropped; `take_in` says whether they had changed. Files that do not do leave everything
/// as it is, which is told once.
pub async fn follow<E: Display>(what: &str, mut take_in: impl AsyncFnMut() -> Result<bool, E>) {
    let mut is_wrong = false;
    loop {
        sleep(EVERY).await;
        match take_in().await {
            Ok(changed) => {
                if changed {
                    info!("{what} were changed");
                }
                is_wrong = false;
            }
            Err(error) => {
                if !is_wrong {
                    warn!(%error, "{what} stay as they were");
                }
                is_wrong = true;
            }
        }
    }
}
