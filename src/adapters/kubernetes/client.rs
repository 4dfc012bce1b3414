//! How the API server is reached: two clients with the limits that each kind of request needs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::{Client, Config, config::KubeConfigOptions, config::Kubeconfig};

/// No single request but a watch may take longer.
const REQUEST_LIMIT: Duration = Duration::from_secs(20);

/// The server ends a watch after 290 s, as kube asks it to. A longer silence, in a list too, is a connection that broke
/// without a word, and without a limit the cache would stay as it is for ever.
const WATCH_SILENCE_LIMIT: Duration = Duration::from_secs(300);

/// Two clients: a watch lives for minutes without a byte, every other request must end.
#[derive(Clone)]
pub struct Clients {
    /// For lists and watches.
    pub watch: Client,
    /// For everything else. Bounded, and without the client's own retries, which would repeat a POST.
    pub write: Client,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The kubeconfig file.
    #[error("failed to read the kubeconfig {0}: {1}")]
    Kubeconfig(PathBuf, String),
    /// Neither a kubeconfig nor a pod's credentials.
    #[error("failed to find a cluster: not in a pod, and no kubeconfig (set --kubeconfig or KUBECONFIG): {0}")]
    NoCluster(String),
    /// The configuration cannot be used.
    #[error("failed to set up the API client: {0}")]
    Client(String),
}

/// Builds the clients from `kubeconfig`, or as usual from `KUBECONFIG` or the pod's service account.
///
/// # Errors
/// See [`ConnectError`]. No request is made yet.
pub async fn connect(kubeconfig: Option<&Path>) -> Result<Clients, ConnectError> {
    let config = match kubeconfig {
        Some(path) => {
            let unreadable = |error: String| ConnectError::Kubeconfig(path.to_owned(), error);
            let file = Kubeconfig::read_from(path).map_err(|error| unreadable(error.to_string()))?;
            Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
                .await
                .map_err(|error| unreadable(error.to_string()))?
        }
        None => Config::infer().await.map_err(|error| ConnectError::NoCluster(error.to_string()))?,
    };
    let mut watching = config.clone();
    watching.read_timeout = Some(WATCH_SILENCE_LIMIT);
    let mut bounded = config;
    bounded.connect_timeout = Some(Duration::from_secs(5));
    bounded.read_timeout = Some(REQUEST_LIMIT);
    bounded.write_timeout = Some(REQUEST_LIMIT);
    bounded.reset_reader_on_write = true;
    bounded.default_retry = false;
    let client =
        |config| Client::try_from(config).map_err(|error: kube::Error| ConnectError::Client(error.to_string()));
    Ok(Clients { watch: client(watching)?, write: client(bounded)? })
}
