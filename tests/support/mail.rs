//! A mail as a relay took it, and what a person would see of it. Never here: how it came (`smtp_dialogue`).

use std::time::Instant;

use mail_parser::{Message, MessageParser};

/// One transaction that the server took.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    /// The envelope's sender, without angle brackets.
    pub(crate) sender: String,
    /// The envelope's recipients that were accepted.
    pub(crate) recipients: Vec<String>,
    /// The message as sent: header and body, CRLF line ends, dots unstuffed.
    pub(crate) raw: String,
    /// User name and password, when the client signed in.
    pub(crate) login: Option<(String, String)>,
    /// When the final dot arrived.
    pub(crate) at: Instant,
}

impl Mail {
    fn message(&self) -> Message<'_> {
        MessageParser::default().parse(self.raw.as_bytes()).expect("the mail is a MIME message")
    }

    /// The decoded subject.
    pub(crate) fn subject(&self) -> String {
        self.message().subject().unwrap_or_default().to_owned()
    }

    /// The first `text/plain` part, decoded.
    pub(crate) fn text(&self) -> String {
        self.message().body_text(0).unwrap_or_default().into_owned()
    }

    /// The first `text/html` part, decoded.
    pub(crate) fn html(&self) -> String {
        self.message().body_html(0).unwrap_or_default().into_owned()
    }

    /// A header's value as sent, unfolded; `None` if it is absent. The name's case does not matter.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let message = self.message();
        let raw = message.header_raw(name)?;
        Some(raw.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// The links to invitations and confirmations, `https://…/invitations#…`, of both parts, each once.
    pub(crate) fn links(&self) -> Vec<String> {
        let mut links: Vec<String> = Vec::new();
        for part in [self.text(), self.html()] {
            for (start, _) in part.match_indices("https://") {
                let link = part[start..].split(is_end_of_link).next().unwrap_or_default();
                let link = link.trim_end_matches(['.', ',', ';']).to_owned();
                let page = link.contains("/invitations#") || link.contains("/confirmations#");
                if page && !links.contains(&link) {
                    links.push(link);
                }
            }
        }
        links
    }
}

fn is_end_of_link(character: char) -> bool {
    character.is_whitespace() || "\"'<>)".contains(character)
}
