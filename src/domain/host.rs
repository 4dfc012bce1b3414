//! What names of hosts are made of. Which names do is for whoever asks.

/// Longest name of a host, RFC 1035 §2.3.4.
pub const LONGEST_NAME: usize = 253;

/// Letters, digits and hyphens, a hyphen neither first nor last (RFC 1123 §2.1); at most 63 (RFC 1035 §2.3.4).
pub fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}
