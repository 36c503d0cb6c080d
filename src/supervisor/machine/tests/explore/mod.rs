//! Every sequence of events, not a random one: breadth first through all states
//! that the machine and the world around it can be in together, each visited
//! once, with the rules checked at each. Time counts in half seconds, so the
//! states are finitely many and a search without depth limit ends. Under
//! `cargo test` few policies, and not very deep; `ci/explore` takes them all.

mod facts;
mod rules;

use std::collections::HashSet;
use std::io::Write;
use std::thread;

use super::*;
use facts::State;

/// As far as `cargo test` looks; further with `ZDAEMON_EXPLORE=DEPTH`.
const DEPTH: u32 = 9;
const DEPTH_VARIABLE: &str = "ZDAEMON_EXPLORE";

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Move {
    Tell(Event),
    /// The program ends, and may leave strays.
    End(Ended, bool),
    /// So many ticks pass.
    Pass(u8),
    /// Something that comes too late or too early to mean anything.
    Stale(Event),
}

struct Node {
    state: State,
    /// From where it was reached first, and how.
    from: usize,
    by: Move,
    depth: u32,
}

/// How much was seen.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    states: usize,
    steps: usize,
    depth: u32,
}

/// All that follows from the beginning under one policy.
fn explore(policy: &Policy, deepest: u32) -> Result<Seen, String> {
    let mut nodes: Vec<Node> = Vec::new();
    let mut known = HashSet::new();
    let mut seen = Seen::default();
    for by in [Event::Begin, Event::Adopt(facts::pid(0)), Event::Inherit].map(Move::Tell) {
        let state = rules::step(&State::new(policy), by).map_err(|why| format!("{by:?}: {why}"))?;
        known.insert(state.key());
        nodes.push(Node { state, from: usize::MAX, by, depth: 1 });
    }
    let mut next = 0;
    while let Some(node) = nodes.get(next) {
        seen.depth = node.depth;
        if node.depth == deepest {
            break;
        }
        let (depth, moves) = (node.depth + 1, node.state.moves());
        for by in moves {
            let state = rules::step(&nodes[next].state, by)
                .map_err(|why| format!("{}{by:?}: {why}", way_to(&nodes, next)))?;
            seen.steps += 1;
            if known.insert(state.key()) {
                nodes.push(Node { state, from: next, by, depth });
            }
        }
        next += 1;
    }
    seen.states = nodes.len();
    Ok(seen)
}

/// The shortest sequence of events that leads to a state.
fn way_to(nodes: &[Node], mut index: usize) -> String {
    let mut way = Vec::new();
    while let Some(node) = nodes.get(index) {
        way.push(format!("{:?}, ", node.by));
        index = node.from;
    }
    way.into_iter().rev().collect()
}

/// Each policy once with each value.
fn vary<T: Copy>(policies: &mut Vec<Policy>, values: &[T], set: fn(&mut Policy, T)) {
    let mut varied = Vec::new();
    for policy in policies.iter() {
        for value in values {
            let mut policy = policy.clone();
            set(&mut policy, *value);
            varied.push(policy);
        }
    }
    *policies = varied;
}

/// Every combination of what the rules depend on, with short times.
fn all_policies() -> Vec<Policy> {
    let mut policies = vec![defaults()];
    vary(&mut policies, &[0, 2], |policy, limit| policy.backoff_limit = limit);
    vary(&mut policies, &[Some(1.0), Some(3.0), None], |policy, length| {
        policy.stop_timeout = length.map(secs);
    });
    vary(&mut policies, &[0.0, 1.0], |policy, length| policy.settle_time = secs(length));
    vary(&mut policies, &[0.5, 2.5], |policy, length| policy.start_timeout = secs(length));
    vary(&mut policies, &[true, false], |policy, on| policy.hang_around = on);
    vary(&mut policies, &[false, true], |policy, on| policy.tested = on);
    vary(&mut policies, &[false, true], |policy, on| policy.forever = on);
    vary(&mut policies, &[false, true], |policy, on| policy.attached = on);
    vary(&mut policies, &[&[0][..], &[], &[-1]], |policy, codes| {
        policy.exit_codes = codes.to_vec();
    });
    // With a start test there is no settling.
    policies.retain(|policy| !policy.tested || policy.settle_time.is_zero());
    policies
}

fn explore_each(policies: &[Policy], deepest: u32) -> Seen {
    let mut all = Seen::default();
    for policy in policies {
        let seen = explore(policy, deepest).unwrap_or_else(|why| panic!("{policy:?}\n{why}"));
        all.states += seen.states;
        all.steps += seen.steps;
        all.depth = all.depth.max(seen.depth);
    }
    all
}

#[test]
fn no_sequence_of_events_breaks_a_promise() {
    let policies = all_policies();
    let wanted = std::env::var(DEPTH_VARIABLE).ok();
    let deepest = wanted.as_ref().map_or(DEPTH, |text| text.parse().expect("a depth"));
    // A prime stride, so that few policies still differ in everything.
    let stride = if wanted.is_some() { 1 } else { 53 };
    let policies: Vec<Policy> = policies.into_iter().step_by(stride).collect();
    let half = policies.len() / 2;
    let (one, other) = policies.split_at(half);
    let seen = thread::scope(|scope| {
        let other = scope.spawn(|| explore_each(other, deepest));
        let one = explore_each(one, deepest);
        let other = other.join().expect("no promise is broken");
        Seen {
            states: one.states + other.states,
            steps: one.steps + other.steps,
            depth: one.depth.max(other.depth),
        }
    });
    assert!(seen.states > policies.len() * 1000, "{seen:?}");
    let Seen { states, steps, depth } = seen;
    let count = policies.len();
    let shown = format!("- {count} policies, {states} states, {steps} events, {depth} deep");
    let _ = writeln!(std::io::stdout(), "{shown}");
}
