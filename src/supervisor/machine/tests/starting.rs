//! When a program counts as up, and when that took too long.

use super::*;

fn up(world: &World) -> Vec<f64> {
    world.times(|action| matches!(action, Action::Tell(Tell::Up(_))))
}

fn late(world: &World) -> Vec<f64> {
    world.times_of(Action::Tell(Tell::Late))
}

fn tested(start_timeout: f64) -> Policy {
    Policy { tested: true, start_timeout: secs(start_timeout), ..defaults() }
}

#[test]
fn a_program_is_up_when_it_has_lived_for_the_settle_time() {
    let policy = Policy { settle_time: secs(2.5), ..defaults() };
    let mut world = World::begin(policy, &[Life::long()]);
    world.until(1000.0);
    assert_eq!(up(&world), [2.5]);
    assert_eq!(late(&world), []);
}

#[test]
fn a_settle_time_of_zero_means_that_the_exec_succeeded() {
    let policy = Policy { settle_time: Duration::ZERO, ..defaults() };
    let world = World::begin(policy.clone(), &[Life::long()]);
    assert_eq!(up(&world), [0.0]);
    let hanging = Life { exec: Exec::Hangs, ..Life::long() };
    let mut world = World::begin(policy, &[hanging]);
    world.until(1000.0);
    assert_eq!(up(&world), []);
}

#[test]
fn a_program_whose_exec_was_refused_is_never_up() {
    let policy = Policy { settle_time: Duration::ZERO, ..defaults() };
    let hanging = Life { exec: Exec::Hangs, ..Life::long() };
    let mut world = World::begin(policy, &[hanging]);
    world.tell(Event::NotExecuted);
    assert_eq!(world.tell(Event::Executed), []);
}

#[test]
fn a_deadline_that_is_told_too_early_changes_nothing() {
    let deaf = Life::deaf().leaving(Strays::Deaf);
    let mut world = World::begin(defaults(), &[Life::crash(), deaf]);
    let mut seen = Vec::new();
    // Backing off, settling, up, stopping, removing strays.
    for seconds in [0.5, 1.5, 10.0, 20.0, 312.0] {
        world.until(seconds);
        let phase = world.machine.phase();
        assert_eq!(world.tell(Event::Deadline), []);
        assert_eq!(world.machine.phase(), phase);
        seen.push(std::mem::discriminant(&phase));
        if seconds == 10.0 {
            world.tell(Event::Stop);
        }
    }
    seen.dedup();
    assert_eq!(seen.len(), 4, "backing off, running, stopping, clearing");
}

#[test]
fn a_program_that_dies_before_it_has_settled_was_never_up() {
    let lives = [Life::of(0.9, Ended::Exited(1)), Life::of(0.9, Ended::Exited(1)), Life::long()];
    let mut world = World::begin(defaults(), &lives);
    world.until(1000.0);
    assert_eq!(world.spawns().len(), 3);
    assert_eq!(up(&world).len(), 1);
    assert!(up(&world)[0] >= world.spawns()[2] + 1.0);
}

#[test]
fn a_program_with_a_start_test_is_up_when_the_test_has_passed_and_not_before() {
    let mut world = World::begin(tested(300.0), &[Life::long()]);
    world.until(2.0);
    assert_eq!(up(&world), []);
    world.tell(Event::TestPassed);
    assert_eq!(up(&world), [2.0]);
    assert_eq!(world.tell(Event::TestPassed), []);
    world.until(1000.0);
    assert_eq!(late(&world), []);
}

#[test]
fn a_start_test_that_passes_when_the_program_is_being_stopped_comes_too_late() {
    let mut world = World::begin(tested(300.0), &[Life::deaf()]);
    world.tell(Event::Stop);
    assert_eq!(world.tell(Event::TestPassed), []);
}

#[test]
fn a_program_that_is_not_up_in_time_is_told_late_once_and_left_running() {
    let mut world = World::begin(tested(2.0), &[Life::long()]);
    world.until(1000.0);
    assert_eq!(late(&world), [2.0]);
    assert_eq!(world.times_of(Action::Note(Note::StartTimedOut)), [2.0]);
    assert_eq!(world.machine.wish(), Wish::Up);
    assert!(world.program.is_some());
    assert_eq!(world.tell(Event::Start), [Action::Reply(Reply::AlreadyStarted)]);
    assert_eq!(world.tell(Event::Stop)[0], Action::Reply(Reply::SentTerm));
    world.until(1000.0);
    assert_eq!(world.finish(), Some((1000.0, 0)));
}

#[test]
fn the_start_timeout_runs_on_through_quick_deaths() {
    let policy = Policy { start_timeout: secs(5.0), ..defaults() };
    let mut world = World::begin(policy, &[Life::crash()]);
    world.until(5.5);
    assert_eq!(late(&world), [5.0]);
}

#[test]
fn after_a_restart_the_start_timeout_counts_from_the_end_of_the_old_program() {
    let mut world = World::begin(tested(5.0), &[Life::obeying_after(60.0)]);
    world.tell(Event::TestPassed);
    world.until(10.0);
    world.tell(Event::Restart);
    world.until(74.0);
    assert_eq!(late(&world), []);
    world.until(1000.0);
    assert_eq!(late(&world), [75.0]);
}

#[test]
fn a_start_during_a_stop_counts_from_the_end_of_the_old_program() {
    let mut world = World::begin(tested(5.0), &[Life::obeying_after(60.0)]);
    world.tell(Event::TestPassed);
    world.until(10.0);
    world.tell(Event::Stop);
    world.until(20.0);
    world.tell(Event::Start);
    world.until(1000.0);
    assert_eq!(late(&world), [75.0]);
}

#[test]
fn a_start_while_backing_off_has_the_whole_start_timeout() {
    let policy = Policy { start_timeout: secs(2.0), forever: true, ..defaults() };
    let hanging = Life { exec: Exec::Hangs, ..Life::long() };
    let mut world = World::begin(policy, &[Life::crash(), Life::crash(), hanging]);
    world.until(1.5);
    world.tell(Event::Start);
    world.until(10.0);
    assert_eq!(late(&world), [3.5]);
}

#[test]
fn a_program_that_is_respawned_after_a_long_life_has_the_whole_start_timeout() {
    let mut world = World::begin(tested(5.0), &[Life::of(20.0, Ended::Exited(1)), Life::long()]);
    world.tell(Event::TestPassed);
    world.until(1000.0);
    assert_eq!(late(&world), [25.0]);
}

#[test]
fn a_stopped_program_is_not_late() {
    for event in [Event::Stop, TERMINATE] {
        let mut world = World::begin(tested(5.0), &[Life::deaf()]);
        world.tell(event);
        world.until(200.0);
        assert_eq!(late(&world), []);
    }
    let staying = Policy { hang_around: true, ..tested(5.0) };
    let mut world = World::begin(staying, &[Life::long()]);
    world.tell(Event::Stop);
    world.until(200.0);
    assert_eq!((late(&world), world.machine.phase()), (vec![], Phase::Idle));
}

#[test]
fn a_healthy_program_is_not_late_because_it_settles() {
    let policy = Policy { start_timeout: secs(1.0), settle_time: secs(1.0), ..defaults() };
    let mut world = World::new(policy, &[Life::long()]);
    // The fork and the exec take a moment too.
    world.machine.step(world.now, Event::Begin);
    let pid = Pid::new(9).expect("positive");
    world.machine.step(Mono(secs(0.01)), Event::Spawned(pid));
    world.machine.step(Mono(secs(0.01)), Event::Executed);
    let up_at = Mono(secs(1.01));
    assert_eq!(world.machine.deadline(), Some(up_at));
    let actions: Vec<Action> = world.machine.step(up_at, Event::Deadline).into_iter().collect();
    assert_eq!(actions, [Action::Tell(Tell::Up(pid))]);
}

#[test]
fn a_program_that_dies_while_it_settles_is_late_at_once() {
    let policy = Policy { start_timeout: secs(2.0), ..defaults() };
    let mut world = World::begin(policy, &[Life::of(0.75, Ended::Exited(1))]);
    world.until(100.0);
    assert_eq!(late(&world)[0], 2.5);
}

#[test]
fn who_starts_a_program_that_is_late_already_gets_an_answer_too() {
    let mut world = World::begin(tested(5.0), &[Life::long()]);
    world.until(8.0);
    world.tell(Event::Start);
    world.until(1000.0);
    assert_eq!(late(&world), [5.0, 13.0]);
}

#[test]
fn a_program_that_was_given_up_is_not_late() {
    let policy = Policy { start_timeout: secs(2.0), backoff_limit: 1, ..defaults() };
    let crash = Life::of(0.75, Ended::Exited(1)).leaving(Strays::Deaf);
    let mut world = World::begin(policy, &[crash]);
    world.until(100.0);
    assert_eq!((late(&world), world.finish()), (vec![], Some((5.75, 1))));
}
