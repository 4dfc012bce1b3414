//! Browsers in which somebody has signed in, by a sealed cookie. Signing in there is slowed down by tries in such browsers alone. It
//! proves nothing: who has the cookie still needs the password and the code.

use axum::http::HeaderValue;
use sha2::{Digest, Sha256};

use super::Portal;
use super::throttles::Target;
use super::web::cookies::Kind;
use super::web::visitor::Visitor;
use crate::adapters::seal::Purpose;
use crate::api::account::ClinicAccountSpec;
use crate::domain::session::{BROWSER_IS_KNOWN, KnownBrowser, Session};
use crate::domain::standing::Answer;
use crate::domain::typed;

impl Portal {
    /// On whom somebody tries to sign in by what they typed as username.
    pub fn target(&self, visitor: &Visitor, typed: &str) -> Target {
        let account = visitor.device.as_ref().and_then(|_| self.account_of(typed));
        let is_known = account.is_some_and(|account| self.knows_browser(visitor, &account.spec));
        Target { digest: digest(typed), is_known }
    }

    /// Whether this is a browser of theirs.
    fn knows_browser(&self, visitor: &Visitor, account: &ClinicAccountSpec) -> bool {
        let sealed = visitor.device.as_deref();
        let browser: Option<KnownBrowser> = sealed.and_then(|sealed| self.keys.open(Purpose::Device, "", sealed));
        let browser = browser.filter(|browser| browser.account == account.id);
        browser.is_some_and(|browser| browser.is_known(&self.facts(account), self.clock.now()))
    }

    /// The cookie by which the browser of a session that begins is known from now on.
    pub fn know_browser(&self, session: &Session) -> Option<HeaderValue> {
        let sealed = self.keys.seal(Purpose::Device, "", &KnownBrowser::of(session)).ok()?;
        self.cookies.set(Kind::Device, &sealed, Some(BROWSER_IS_KNOWN))
    }

    /// The same for whoever signs out, which ends every cookie of before: only the browser in which they do it stays known, so that it
    /// serves whoever signs out in their own every evening. Others and copies are as any stranger's.
    pub fn know_browser_after(
        &self,
        visitor: &Visitor,
        before: &ClinicAccountSpec,
        after: &ClinicAccountSpec,
    ) -> Option<HeaderValue> {
        let now = self.clock.now();
        let epoch = after.acceptance.as_ref()?.session_epoch;
        let Answer::MayPass { grant } = self.facts(after).may_pass(now) else { return None };
        self.knows_browser(visitor, before)
            .then(|| Session::begin(&after.id, epoch, grant, now))
            .and_then(|session| self.know_browser(&session))
    }
}

/// Of a username as it is typed: it need not be an address. All that is read as one username has one digest.
pub fn digest(typed: &str) -> [u8; 32] {
    let username = typed::username(typed).to_ascii_lowercase();
    Sha256::digest([b"clinic-operator.dev/username:", username.as_bytes()].concat()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_spelling_of_a_username_gains_no_tries() {
        for (username, spellings) in [
            ("ana@maple.example", [" ANA@maple.example.", "ana\u{200b}@maple.example", "ａｎａ＠maple。example"]),
            (
                "ana@xn--rable-9ra.example",
                ["ana@érable.example", "ana@E\u{301}RABLE.example", "ana@XN--RABLE-9ra.example"],
            ),
            ("nobody", ["NOBODY", "no body", "\u{202e}nobody"]),
        ] {
            for spelling in spellings {
                assert_eq!(digest(spelling), digest(username), "{spelling:?}");
            }
        }
        assert_ne!(digest("ana@maple.example"), digest("ána@maple.example"));
    }
}
