//! The real parts that tests and figures run on: a control plane, the operator as the compiled binary under its own
//! identity, a scripted SMTP server, a real one. Never here: what a test expects, or a stand-in for the API server.

pub(crate) mod certificate;
pub(crate) mod console;
pub(crate) mod control_plane;
pub(crate) mod door;
pub(crate) mod http;
pub(crate) mod interceptor;
pub(crate) mod mail;
pub(crate) mod operator;
pub(crate) mod portal;
pub(crate) mod postfix;
pub(crate) mod process;
pub(crate) mod prometheus;
pub(crate) mod proxy;
pub(crate) mod smtp;
pub(crate) mod smtp_dialogue;
pub(crate) mod test_clock;
pub(crate) mod tools;
pub(crate) mod visitor;
pub(crate) mod wait;
