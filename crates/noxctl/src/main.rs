//! The command line of TurbineNOxAnalyzer.

mod background;
mod cli;
mod commands;
mod failure;
mod output;
mod signals;
mod table;

use clap::Parser;
use cli::{Cli, Command};
use failure::Result;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    output::start_logging(cli.verbose);
    match run(cli.command) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Demo(args) => commands::run::demo(args),
        Command::Run(args) => commands::run::run(&args),
        Command::Check(args) => commands::check::check(&args),
        Command::Scan(args) => commands::scan::scan(&args),
        Command::Points(cli::PointsCommand::Export(args)) => commands::points::export(&args),
        Command::Query(args) => commands::query::query(&args),
        Command::Events(args) => commands::support::events(&args),
        Command::Audit(args) => commands::audit::audit(&args),
        Command::Verify(args) => commands::audit::verify(&args),
        Command::Acknowledge(args) => commands::audit::acknowledge(&args),
        Command::Note(args) => commands::audit::note(&args),
        Command::Backup(args) => commands::keep::backup(&args),
        Command::Restore(args) => commands::keep::restore(&args),
        Command::Secret(command) => commands::keep::secret(&command),
        Command::Support(args) => commands::support::support(&args),
        Command::Train(args) => commands::train::train(&args),
        Command::Doctor(args) => commands::doctor::doctor(&args),
        Command::Predict(args) => commands::predict::predict(&args),
        Command::Evaluate(args) => commands::predict::evaluate(&args),
        Command::Explain(args) => commands::explain::explain(&args),
        Command::Rules(args) => commands::rules::run(&args),
        Command::Adapt(args) => commands::adapt::adapt(&args),
        Command::Backtest(args) => commands::backtest::backtest(&args),
        Command::Sensors(args) => commands::sensors::sensors(&args),
        Command::Model(cli::ModelCommand::Show(args)) => commands::predict::show(&args),
        Command::Model(cli::ModelCommand::Export(args)) => commands::exchange::export(&args),
        Command::Model(cli::ModelCommand::Promote(args)) => commands::promote::promote(&args),
        Command::Model(cli::ModelCommand::Rollback(args)) => commands::promote::roll_back(&args),
        Command::Model(cli::ModelCommand::Import(args)) => commands::exchange::import(&args),
        Command::Import(args) => commands::import::import(&args),
        Command::Export(cli::ExportCommand::Csv(args)) => commands::export::csv(&args),
        Command::Export(cli::ExportCommand::Parquet(args)) => commands::export::parquet(&args),
        Command::Export(cli::ExportCommand::Postgres(args)) => commands::transfer::export_postgres(&args),
        Command::Export(cli::ExportCommand::Refused(args)) => commands::transfer::export_refused(&args),
        Command::Simulate(command) => commands::simulate::simulate(&command),
    }
}
