//! Making a failing world smaller as long as it fails.
//!
//! Threads decide who is quicker, so a world that fails may pass the next time. A smaller one counts as failing if one of
//! several tries fails.

use super::program::{Ending, Op, Program, Visit};
use super::world::{Failure, World};
use std::time::{Duration, Instant};

/// How often a smaller world is tried.
const TRIES: usize = 8;
/// How long making it smaller may take.
const LIMIT: Duration = Duration::from_secs(60);

/// The smallest failing world found, and a test to paste.
pub(crate) async fn report(world: World, failure: &Failure) -> String {
    let (world, failure) = shrink(world, failure.clone()).await;
    let json = serde_json::to_string(&world).unwrap();
    format!(
        "{failure}\n{world:#?}\n\n\
         #[tokio::test(flavor = \"multi_thread\", worker_threads = 2)]\n\
         async fn a_program_comes_out_as_the_model_says() {{\n    \
             check_again(r##\"{json}\"##).await;\n\
         }}\n"
    )
}

/// The smallest failing world found.
pub(crate) async fn shrink(mut world: World, mut failure: Failure) -> (World, Failure) {
    let until = Instant::now() + LIMIT;
    'smaller: while Instant::now() < until {
        for candidate in smaller(&world, &failure) {
            if Instant::now() >= until {
                break 'smaller;
            }
            if let Some(again) = fails(&candidate).await {
                (world, failure) = (candidate, again);
                continue 'smaller;
            }
        }
        break;
    }
    (world, failure)
}

async fn fails(world: &World) -> Option<Failure> {
    for _ in 0..TRIES {
        if let Err(failure) = world.run().await {
            return Some(failure);
        }
    }
    None
}

/// Worlds that are smaller by one step, the boldest first.
fn smaller(world: &World, failure: &Failure) -> Vec<World> {
    let mut worlds = Vec::new();
    let with = |programs: Vec<Program>| World {
        programs,
        ..world.clone()
    };
    if world.programs.len() > 1 {
        for number in failure.programs.keys().take(3) {
            worlds.push(with(vec![world.programs[*number].clone()]));
        }
        let (first, second) = world.programs.split_at(world.programs.len() / 2);
        worlds.push(with(first.to_vec()));
        worlds.push(with(second.to_vec()));
    }
    if !world.faults.is_empty() {
        worlds.push(World {
            faults: Vec::new(),
            ..world.clone()
        });
        for index in 0..world.faults.len() {
            let mut fewer = world.clone();
            fewer.faults.remove(index);
            worlds.push(fewer);
        }
    }
    if world.programs.len() <= 4 {
        for (number, program) in world.programs.iter().enumerate() {
            for program in smaller_programs(program) {
                let mut programs = world.programs.clone();
                programs[number] = program;
                worlds.push(with(programs));
            }
        }
        for (index, fault) in world.faults.iter().enumerate() {
            if fault.after_attempts > 0 {
                let mut earlier = world.clone();
                earlier.faults[index].after_attempts /= 2;
                worlds.push(earlier);
            }
        }
    }
    worlds
}

fn smaller_programs(program: &Program) -> Vec<Program> {
    let mut programs = smaller_children(program);
    for index in 0..program.visits.len() {
        let mut fewer = program.clone();
        fewer.visits.remove(index);
        programs.push(fewer);
        for visit in smaller_visits(program.visits[index]) {
            let mut smaller = program.clone();
            smaller.visits[index] = visit;
            programs.push(smaller);
        }
    }
    if let Ending::IsCut { after: 1.., .. } = program.ending {
        let ending = Ending::IsCut {
            after: 0,
            terminated: false,
        };
        programs.push(Program {
            ending,
            ..program.clone()
        });
    }
    if program.ending != Ending::Returns {
        programs.push(Program {
            ending: Ending::Returns,
            ..program.clone()
        });
    }
    programs
}

/// A child's ending and its fate belong together.
fn smaller_children(program: &Program) -> Vec<Program> {
    let lists = smaller_lists(&program.ops).into_iter();
    lists
        .map(|ops| Program {
            ops,
            ..program.clone()
        })
        .collect()
}

fn smaller_visits(visit: Visit) -> Vec<Visit> {
    let mut visits = Vec::new();
    if visit.task {
        visits.push(Visit {
            task: false,
            ..visit
        });
    }
    if visit.fails {
        visits.push(Visit {
            fails: false,
            ..visit
        });
    }
    if visit.ms > 0 {
        visits.push(Visit { ms: 0, ..visit });
    }
    visits
}

fn smaller_lists(ops: &[Op]) -> Vec<Vec<Op>> {
    let mut lists = Vec::new();
    if ops.len() > 2 {
        let (first, second) = ops.split_at(ops.len() / 2);
        lists.push(first.to_vec());
        lists.push(second.to_vec());
    }
    for index in 0..ops.len() {
        let mut fewer = ops.to_vec();
        fewer.remove(index);
        lists.push(fewer);
    }
    for (index, op) in ops.iter().enumerate() {
        let mut replace = |by: Vec<Op>| {
            let mut list = ops.to_vec();
            list.splice(index..=index, by);
            lists.push(list);
        };
        for inside in op.inside() {
            replace(inside);
        }
        for op in smaller_ops(op) {
            replace(vec![op]);
        }
    }
    lists
}

fn smaller_ops(op: &Op) -> Vec<Op> {
    match op {
        Op::Task {
            counter,
            n,
            failures,
            attempts,
            fatal,
        } if *failures > 0 || *fatal => {
            let task = |failures, fatal| Op::Task {
                counter: *counter,
                n: *n,
                failures,
                attempts: *attempts,
                fatal,
            };
            let mut tasks = vec![task(0, false)];
            if *fatal {
                tasks.push(task(*failures, false));
            }
            if *failures > 1 {
                tasks.push(task(failures - 1, *fatal));
            }
            tasks
        }
        Op::Tasks { counter, ns } if ns.len() > 1 => vec![Op::Tasks {
            counter: *counter,
            ns: ns[..ns.len() / 2].to_vec(),
        }],
        Op::All { branches } => smaller_branches(branches)
            .into_iter()
            .map(|branches| Op::All { branches })
            .collect(),
        Op::Saga {
            counter,
            steps,
            fails,
        } => smaller_lists(steps)
            .into_iter()
            .map(|steps| Op::Saga {
                counter: *counter,
                steps,
                fails: *fails,
            })
            .collect(),
        Op::Method {
            counter,
            ops,
            n,
            fails,
        } => smaller_lists(ops)
            .into_iter()
            .map(|ops| Op::Method {
                counter: *counter,
                ops,
                n: *n,
                fails: *fails,
            })
            .collect(),
        Op::Visit { visit, waits } => smaller_visits(*visit)
            .into_iter()
            .map(|visit| Op::Visit {
                visit,
                waits: *waits,
            })
            .collect(),
        Op::Child {
            counter,
            name,
            program,
            fate,
        } => smaller_children(program)
            .into_iter()
            .map(|program| Op::Child {
                counter: *counter,
                name: *name,
                program: Box::new(program),
                fate: *fate,
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn smaller_branches(branches: &[Vec<Op>]) -> Vec<Vec<Vec<Op>>> {
    let mut all = Vec::new();
    for (index, branch) in branches.iter().enumerate() {
        for list in smaller_lists(branch) {
            let mut branches = branches.to_vec();
            branches[index] = list;
            all.push(branches);
        }
    }
    all
}
