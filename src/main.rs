//! The program `clinic-operator`. What it does stands in the library.

fn main() -> std::process::ExitCode {
    clinic_operator::cli::main()
}
