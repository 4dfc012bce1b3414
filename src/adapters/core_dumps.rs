//! Core dumps, which would write keys, passwords and addresses to a disk: switched off for the whole process when it starts. Nothing
//! else of the process is set here.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Switches them off. The limit alone is not enough, since the kernel ignores it where dumps are handed to a program (core(5)). Other
/// processes of the same user cannot read the memory of this one any more either (ptrace(2)).
///
/// # Errors
/// A seccomp profile that refuses it.
pub fn switch_off() -> std::io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}
