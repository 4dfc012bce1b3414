//! The same program with a clock that tests and the demo set (feature `test-clock`). Never installed: the image and the chart
//! have `clinic-operator` only.

fn main() -> std::process::ExitCode {
    clinic_operator::cli::main()
}
