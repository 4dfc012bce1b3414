//! Randomness: the only place that draws it.

/// Random bytes from the operating system.
///
/// # Errors
/// If the operating system has none to give; then nothing that needs a secret may go on.
pub fn secret_bytes<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    #[expect(clippy::disallowed_methods, reason = "this is the adapter that everything else asks")]
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// A random fraction in `0.0..1.0`, to spread retries.
pub fn fraction() -> f64 {
    secret_bytes().map_or(0.5, |bytes| f64::from(u16::from_le_bytes(bytes)) / 65536.0)
}

/// Sixteen hexadecimal digits that nobody else draws.
///
/// # Errors
/// If the operating system has no randomness to give.
pub fn unique_id() -> Result<String, getrandom::Error> {
    Ok(format!("{:016x}", u64::from_le_bytes(secret_bytes()?)))
}

/// Such an id for one piece of work in a log: all zero if the operating system has no randomness.
pub fn log_id() -> String {
    unique_id().unwrap_or_else(|_| "0".repeat(16))
}
