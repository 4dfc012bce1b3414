//! How the API server is reached: two clients with the limits that each kind of request needs.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::Config;
use kube::client::{Client, ClientBuilder};
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};

use super::Requests;

/// No single request but a watch may take longer.
const REQUEST_LIMIT: Duration = Duration::from_secs(20);
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// The server ends a watch when it was asked to. A longer silence, in a list too, is a connection that broke without a word, and
/// without a limit the cache would stay as it is for ever.
pub const BEYOND_THE_END: Duration = Duration::from_secs(10);

/// Two clients: a watch lives for minutes without a byte, every other request must end.
#[derive(Clone)]
pub struct Clients {
    /// For lists and watches.
    pub watch: Client,
    /// For everything else. Bounded, and without the client's own retries, which would repeat a POST.
    pub write: Client,
    /// After how long the API server is asked to end each watch: so long at most a broken connection goes unnoticed.
    pub watches_end_after: Duration,
    /// The API server's address, for messages.
    pub server: String,
    /// What `write` was used for.
    pub requests: Requests,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The kubeconfig file.
    #[error("failed to read the kubeconfig {0}: {1}")]
    Kubeconfig(PathBuf, String),
    /// The kubeconfig that the environment names.
    #[error("failed to read the kubeconfig of KUBECONFIG or ~/.kube/config: {0}")]
    Environment(String),
    /// Neither a kubeconfig nor a pod's credentials.
    #[error("failed to find a cluster: no kubeconfig (set --kubeconfig or KUBECONFIG), and not in a pod ({0})")]
    NoCluster(String),
    /// The credentials of a kubeconfig.
    #[error("failed to get credentials for the cluster: {0}")]
    Credentials(String),
    /// The configuration cannot be used.
    #[error("failed to set up the API client: {0}")]
    Client(String),
}

/// Builds the clients from `kubeconfig`, or as usual from `KUBECONFIG` or the pod's service account.
///
/// # Errors
/// See [`ConnectError`]. No request is made yet.
pub async fn connect(kubeconfig: Option<&Path>, watches_end_after: Duration) -> Result<Clients, ConnectError> {
    let config = config(kubeconfig, None).await?;
    let server = config.cluster_url.to_string();
    let mut watching = config.clone();
    watching.read_timeout = Some(watches_end_after + BEYOND_THE_END);
    // `watch` tries again itself, and says so.
    watching.default_retry = false;
    let unusable = |error: kube::Error| ConnectError::Client(error.to_string());
    let requests = Requests::default();
    let watch = Client::try_from(watching).map_err(unusable)?;
    let write = ClientBuilder::try_from(bounded(config)).map_err(unusable)?.with_layer(&requests).build();
    Ok(Clients { watch, write, watches_end_after, server, requests })
}

/// How the API server is reached: by a context of `kubeconfig`, or as usual by `KUBECONFIG`, `~/.kube/config` or the pod's service account.
pub(super) async fn config(kubeconfig: Option<&Path>, context: Option<&str>) -> Result<Config, ConnectError> {
    let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
    if let Some(path) = kubeconfig {
        let unusable = |error| ConnectError::Kubeconfig(path.to_owned(), words(&error));
        let file = Kubeconfig::read_from(path).map_err(unusable)?;
        return Config::from_custom_kubeconfig(file, &options).await.map_err(unusable);
    }
    match Config::from_kubeconfig(&options).await {
        Err(error) if is_absent(&error) && context.is_none() => {
            Config::incluster().map_err(|error| ConnectError::NoCluster(error.to_string()))
        }
        other => other.map_err(|error| ConnectError::Environment(words(&error))),
    }
}

/// The same for requests that must end, each of them at once: without the client's own retries, which would repeat a POST.
pub(super) fn bounded(mut config: Config) -> Config {
    config.connect_timeout = Some(CONNECT_LIMIT);
    config.read_timeout = Some(REQUEST_LIMIT);
    config.write_timeout = Some(REQUEST_LIMIT);
    config.reset_reader_on_write = true;
    config.default_retry = false;
    config
}

fn is_absent(error: &KubeconfigError) -> bool {
    let no_file = matches!(error, KubeconfigError::ReadConfig(error, _) if error.kind() == ErrorKind::NotFound);
    no_file || matches!(error, KubeconfigError::FindPath)
}

/// What is wrong with a kubeconfig. Of a syntax error only the place: its words and lines may quote a token.
#[expect(clippy::wildcard_enum_match_arm, reason = "an enum of kube's, whose other faults quote no value")]
fn words(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::ReadConfig(error, _) => error.to_string(),
        KubeconfigError::Parse(error) => error.location().map_or_else(
            || "it is not a kubeconfig".to_owned(),
            |place| format!("it is not a kubeconfig: see line {}, column {}", place.line(), place.column()),
        ),
        other => other.to_string(),
    }
}
