//! A long random walk over the catalog beside a small model of it: after each step both must have given the same answer,
//! and every so often everything that can be listed and read must be the same.
//!
//! A walk is its seed and its length. One that fails is shortened until no step can be left out, and printed. The short
//! walks are part of every run; `make walk` takes the long one (`PACKHOUSE_WALK_STEPS`, `PACKHOUSE_WALK_SEED`).

mod compare;
mod model;
mod old;
mod real;
mod rules;
mod step;

use std::time::Duration;

use crate::world::{World, each_pair};
use model::Model;
use step::{Dice, Step};

/// Steps of a short walk.
const SHORT: usize = 700;

/// Steps between two looks at everything.
const LOOK_EVERY: usize = 500;

/// Between two steps.
const MOMENT: Duration = Duration::from_secs(1);

/// How long, in steps, a failing walk is made shorter: each attempt is a world of its own.
const ATTEMPTS: usize = 400;

#[test]
fn a_random_walk_ends_where_the_model_does() {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let length = number("PACKHOUSE_WALK_STEPS").map_or(SHORT, |steps| steps.try_into().unwrap());
    let seeds = match number("PACKHOUSE_WALK_SEED") {
        Some(seed) => vec![seed],
        None if length > SHORT => vec![1],
        None => vec![1, 2, 3],
    };
    for seed in seeds {
        let mut dice = Dice::new(seed);
        let steps: Vec<Step> = (0..length).map(|_| Step::any(&mut dice)).collect();
        // Beside each other: the walk is as long as the slower one.
        std::thread::scope(|scope| {
            for pair in each_pair() {
                let steps = &steps;
                scope.spawn(move || walk_on(pair, seed, steps));
            }
        });
    }
}

/// Takes the walk; one that fails is shortened and printed.
fn walk_on(pair: &'static str, seed: u64, steps: &[Step]) {
    let (length, started) = (steps.len(), std::time::Instant::now());
    let Err((at, problem)) = walk(pair, steps, LOOK_EVERY) else {
        let time = started.elapsed();
        eprintln!("seed {seed}: {length} steps on {pair} in {time:.0?}");
        return;
    };
    let failing = shrunk(pair, &steps[..=at.min(length - 1)]);
    let (_, last) = walk(pair, &failing, 1).unwrap_err();
    let listed: Vec<_> = failing.iter().map(|step| format!("  {step:?}")).collect();
    panic!(
        "seed {seed} on {pair}, step {at}: {problem}\nshortened to {} steps, {last}:\n{}",
        failing.len(),
        listed.join("\n")
    );
}

/// Takes these steps in a world of their own. The error says after which step something differed, and what.
fn walk(pair: &'static str, steps: &[Step], look_every: usize) -> Result<(), (usize, String)> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let world = World::on(pair).await.with_domain().await;
        let mut model = Model::new();
        real::open_registry(&world);
        for name in model::REPOSITORIES {
            world.repository(name, &[]).await;
        }
        for (at, step) in steps.iter().enumerate() {
            // No two steps at the same time: what came later counts.
            model.now += MOMENT;
            world.clock.advance(MOMENT);
            let expected = step.expected(&mut model);
            let found = step.taken(&world).await;
            if found != expected {
                return Err((at, format!("{step:?}: {found:?}, expected {expected:?}")));
            }
            if (at + 1) % look_every == 0 {
                compare::everything(&world, &model)
                    .await
                    .map_err(|problem| (at, problem))?;
            }
        }
        compare::everything(&world, &model)
            .await
            .map_err(|problem| (steps.len(), problem))?;
        compare::bytes_after_a_sweep(&world, &mut model)
            .await
            .map_err(|problem| (steps.len(), problem))
    })
}

/// The same failure with fewer steps: halves, quarters and so on are left out as long as it still fails.
fn shrunk(pair: &'static str, steps: &[Step]) -> Vec<Step> {
    let mut steps = steps.to_vec();
    let mut piece = steps.len().div_ceil(2);
    let mut attempts = 0;
    while piece > 0 {
        let mut from = 0;
        while from < steps.len() && attempts < ATTEMPTS {
            attempts += 1;
            let mut fewer = steps.clone();
            fewer.drain(from..(from + piece).min(steps.len()));
            if let Err((at, _)) = walk(pair, &fewer, usize::MAX) {
                fewer.truncate(at + 1);
                steps = fewer;
            } else {
                from += piece;
            }
        }
        piece /= 2;
    }
    steps
}
