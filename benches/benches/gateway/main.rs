//! What a gateway costs: the same load on the same mock provider, in one run, through nothing, through a bare reverse proxy of
//! hyper's, through the gateway, and through Envoy and LiteLLM's proxy where they are installed.
//!
//! Each party is a process of its own, so that its processor time and its memory can be told apart. They take turns of a
//! second, so that a busy machine is as busy for all. Clients keep their connections.

#![expect(clippy::print_stdout, reason = "what it prints is its result")]
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

mod load;
mod party;
mod serving;

use std::time::Duration;

use load::{Load, Question, Run};
use party::Party;

const CLIENTS: usize = 32;
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(1);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|arg| arg == "--serve") {
        return runtime.block_on(serving::serve(&args[at + 1..]));
    }
    runtime.block_on(async {
        let mock = Party::this("mock", &[]);
        let upstream = mock.address;
        let mut parties = vec![
            Party::new("no gateway", upstream),
            Party::this("bare hyper proxy", &[upstream.to_string()]),
            Party::this("gateway", &[upstream.to_string()]),
        ];
        parties.extend(Party::envoy(upstream));
        parties.extend(Party::litellm(upstream));
        println!("{CLIENTS} clients, {ROUNDS} rounds of {ROUND:?} each, in turn");
        for question in [Question::Plain, Question::Stream] {
            compare(&parties, question).await;
        }
    });
}

async fn compare(parties: &[Party], question: Question) {
    println!("\n{question}, as fast as it goes:");
    println!("| | requests/s | p50 | p99 | CPU a request | memory |\n|---|---|---|---|---|---|");
    let mut all: Vec<Vec<Run>> = parties.iter().map(|_| Vec::new()).collect();
    for party in parties {
        // Warm, and known to answer.
        load::run(party, question, Load::Closed { clients: 2 }, ROUND / 4).await;
    }
    for _ in 0..ROUNDS {
        for (party, runs) in parties.iter().zip(&mut all) {
            runs.push(load::run(party, question, Load::Closed { clients: party.clients }, ROUND).await);
        }
    }
    let mut most = 0;
    for (party, runs) in parties.iter().zip(all) {
        let middle = load::middle(runs);
        if party.name == "gateway" {
            most = middle.rate;
        }
        println!("{}", middle.row(party));
    }
    let half = u32::try_from(most / 2).unwrap_or(u32::MAX);
    println!("\n{question}, {half} requests/s, which is half of what the gateway can take:");
    println!("| | requests/s | p50 | p99 | CPU a request | memory |\n|---|---|---|---|---|---|");
    let fast: Vec<&Party> = parties.iter().filter(|party| !party.is_slow).collect();
    let mut all: Vec<Vec<Run>> = fast.iter().map(|_| Vec::new()).collect();
    for _ in 0..ROUNDS {
        for (party, runs) in fast.iter().zip(&mut all) {
            runs.push(load::run(party, question, Load::Open { clients: CLIENTS, rate: half }, ROUND).await);
        }
    }
    for (party, runs) in fast.iter().zip(all) {
        println!("{}", load::middle(runs).row(party));
    }
}
