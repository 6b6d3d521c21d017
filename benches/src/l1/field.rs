//! Who takes part, behind one face.

use std::sync::Barrier;
use std::thread;

use super::calls::{Bytes, Tally, body, name, ready, run, run_each};
use super::case::{Case, Step};
use crate::contender::{Contender, Name};
use crate::contenders::floors::{Dash, Plain};
use crate::contenders::foyer::{FoyerLfu, FoyerS3Fifo};
use crate::contenders::moka::{MiniMoka, Moka};
use crate::contenders::ours::Ours;
use crate::contenders::quick_cache::QuickCache;
use crate::contenders::sharded_lru::ShardedLru;
use crate::contenders::tiny_ufo::TinyUfo;
use crate::random::Random;

/// What a contender is compared as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// This project's.
    Ours,
    /// Bounded and concurrent.
    Peer,
    /// A map, that need do less.
    Floor,
}

/// A contender whose type is not said.
pub trait Runner {
    /// As it is called in reports.
    fn name(&self) -> &'static str;
    /// What it is compared as.
    fn role(&self) -> Role;
    /// Runs the steps of each thread, all threads at once. The time is the mean of theirs.
    fn run(&self, steps: &[Vec<Step>]) -> Tally;
    /// Runs the inserts of one thread and times each, in nanoseconds.
    fn run_each(&self, steps: &[Step]) -> Vec<f64>;
}

/// Makes a contender and fills it.
type Maker = fn(&Case) -> Box<dyn Runner>;

/// All that can be used by so many threads, filled for the case.
///
/// They are made in a random order: where a cache's memory comes to lie moves its time by a tenth, and who is made first
/// would lie otherwise than who is made last.
pub fn field(case: &Case, threads: usize, random: &mut Random) -> Vec<Box<dyn Runner>> {
    let mut makers: Vec<Maker> = vec![
        |case| shared::<Ours<_, _>>(case, Role::Ours),
        |case| shared::<QuickCache<_, _>>(case, Role::Peer),
        |case| shared::<TinyUfo<_, _>>(case, Role::Peer),
        |case| shared::<Moka<_, _>>(case, Role::Peer),
        |case| shared::<MiniMoka<_, _>>(case, Role::Peer),
        |case| shared::<FoyerS3Fifo<_, _>>(case, Role::Peer),
        |case| shared::<FoyerLfu<_, _>>(case, Role::Peer),
        |case| shared::<ShardedLru<_, _>>(case, Role::Peer),
        |case| shared::<Dash<_, _>>(case, Role::Floor),
    ];
    if threads == 1 {
        makers.push(|case| Box::new(Alone(filled::<Plain<_, _>>(case))));
    }
    let mut order: Vec<usize> = (0..makers.len()).collect();
    random.shuffle(&mut order);
    let mut field: Vec<_> = order.into_iter().map(|at| (at, makers[at](case))).collect();
    field.sort_by_key(|&(at, _)| at);
    field.into_iter().map(|(_, runner)| runner).collect()
}

fn shared<C: Contender<Name, Bytes> + Send + Sync + 'static>(case: &Case, role: Role) -> Box<dyn Runner> {
    Box::new(Shared { contender: filled::<C>(case), role })
}

/// Keys go in in random order, so that those that are read often are not neighbours.
pub fn filled<C: Contender<Name, Bytes>>(case: &Case) -> C {
    let contender = C::with_capacity(case.capacity);
    let mut keys: Vec<u64> = (0..case.keys as u64).collect();
    Random::new(1).shuffle(&mut keys);
    for key in keys {
        contender.insert(name(key), body());
        if key % 64 == 0 {
            contender.settle();
        }
    }
    contender.settle();
    contender
}

struct Shared<C> {
    contender: C,
    role: Role,
}

impl<C: Contender<Name, Bytes> + Send + Sync> Runner for Shared<C> {
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn role(&self) -> Role {
        self.role
    }

    fn run(&self, steps: &[Vec<Step>]) -> Tally {
        self.contender.relieve();
        if let [steps] = steps {
            return run(&self.contender, &mut ready(steps));
        }
        let start = Barrier::new(steps.len());
        let tallies = thread::scope(|scope| {
            let thread = |steps: &Vec<Step>| {
                let mut calls = ready(steps);
                start.wait();
                run(&self.contender, &mut calls)
            };
            let threads: Vec<_> = steps.iter().map(|steps| scope.spawn(move || thread(steps))).collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()).collect::<Vec<_>>()
        });
        let mean = |time: fn(&Tally) -> f64| tallies.iter().map(time).sum::<f64>() / tallies.len() as f64;
        Tally {
            wall_ns: mean(|tally| tally.wall_ns),
            cpu_ns: mean(|tally| tally.cpu_ns),
            hits: tallies.iter().map(|tally| tally.hits).sum(),
            reads: tallies.iter().map(|tally| tally.reads).sum(),
        }
    }

    fn run_each(&self, steps: &[Step]) -> Vec<f64> {
        self.contender.relieve();
        run_each(&self.contender, &mut ready(steps))
    }
}

/// A contender for one thread.
struct Alone<C>(C);

impl<C: Contender<Name, Bytes>> Runner for Alone<C> {
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn role(&self) -> Role {
        Role::Floor
    }

    fn run(&self, steps: &[Vec<Step>]) -> Tally {
        self.0.relieve();
        steps.first().map_or_else(Tally::default, |steps| run(&self.0, &mut ready(steps)))
    }
    fn run_each(&self, steps: &[Step]) -> Vec<f64> {
        self.0.relieve();
        run_each(&self.0, &mut ready(steps))
    }
}
