//! What follows when a program ends by itself: back off, give up, or leave.

use super::*;

fn limit(backoff_limit: u32, forever: bool) -> Policy {
    Policy { backoff_limit, forever, ..defaults() }
}

#[test]
fn a_program_that_dies_at_once_is_spawned_ever_later_and_then_given_up() {
    let mut world = World::begin(limit(10, false), &[Life::crash()]);
    world.until(1000.0);
    assert_eq!(world.spawns(), [0.0, 1.0, 3.0, 6.0, 10.0, 15.0, 21.0, 28.0, 36.0, 45.0]);
    assert_eq!(world.finish(), Some((45.0, 1)));
    assert_eq!(world.machine.restarts(), 9);
}

#[test]
fn a_supervisor_that_never_gives_up_spawns_at_the_limit_for_ever() {
    let mut world = World::begin(limit(10, true), &[Life::crash()]);
    world.until(75.0);
    let wanted = [0.0, 1.0, 3.0, 6.0, 10.0, 15.0, 21.0, 28.0, 36.0, 45.0, 55.0, 65.0, 75.0];
    assert_eq!(world.spawns(), wanted);
    assert_eq!(world.machine.backoff(), 10);
    assert_eq!(world.finish(), None);
}

#[test]
fn the_third_quick_death_is_the_last_where_the_limit_is_three() {
    let mut world = World::begin(limit(3, false), &[Life::crash()]);
    world.until(1000.0);
    assert_eq!(world.spawns(), [0.0, 1.0, 3.0]);
    assert_eq!(world.times_of(Action::Note(Note::BackingOff { seconds: 1 })), [0.0]);
    assert_eq!(world.times_of(Action::Note(Note::BackingOff { seconds: 2 })), [1.0]);
    assert_eq!(world.times_of(Action::Note(Note::GaveUp)), [3.0]);
    assert_eq!(world.finish(), Some((3.0, 1)));
}

#[test]
fn a_limit_of_three_for_ever_means_a_spawn_every_three_seconds() {
    let mut world = World::begin(limit(3, true), &[Life::crash()]);
    world.until(12.0);
    assert_eq!(world.spawns(), [0.0, 1.0, 3.0, 6.0, 9.0, 12.0]);
}

#[test]
fn the_first_quick_death_is_the_last_where_the_limit_is_one() {
    let mut world = World::begin(limit(1, false), &[Life::of(0.75, Ended::Exited(1))]);
    world.until(1000.0);
    assert_eq!(world.spawns(), [0.0]);
    assert_eq!(world.finish(), Some((0.75, 1)));
}

#[test]
fn a_limit_of_zero_counts_as_one() {
    let mut world = World::begin(limit(0, false), &[Life::crash()]);
    world.until(1000.0);
    assert_eq!((world.spawns(), world.finish()), (vec![0.0], Some((0.0, 1))));
    let mut world = World::begin(limit(0, true), &[Life::crash()]);
    world.until(3.0);
    assert_eq!(world.spawns(), [0.0, 1.0, 2.0, 3.0]);
}

#[test]
fn a_program_that_lived_to_the_limit_is_respawned_in_the_same_instant_for_ever() {
    for (life, wanted) in [(2.5, [0.0, 2.5, 5.0, 7.5]), (2.0, [0.0, 2.0, 4.0, 6.0])] {
        let mut world = World::begin(limit(2, false), &[Life::of(life, Ended::Exited(1))]);
        world.until(7.5);
        assert_eq!(world.spawns(), wanted);
        let slept = |action| matches!(action, Action::Note(Note::BackingOff { .. }));
        assert_eq!(world.times(slept), []);
    }
}

#[test]
fn a_long_life_makes_earlier_quick_deaths_forgotten() {
    let lives = [Life::crash(), Life::crash(), Life::of(3.0, Ended::Exited(1)), Life::crash()];
    let mut world = World::begin(limit(3, false), &lives);
    world.until(1000.0);
    assert_eq!(world.spawns(), [0.0, 1.0, 3.0, 6.0, 7.0, 9.0]);
    assert_eq!(world.finish(), Some((9.0, 1)));
}

#[test]
fn the_end_of_the_program_is_told_before_what_follows_from_it() {
    let mut world = World::begin(limit(2, false), &[Life::long()]);
    let ended = Ended::Exited(1);
    let pid = world.machine.program().expect("running");
    let wanted = [
        Action::Note(Note::ProgramEnded { pid, ended, exiting: false }),
        Action::Note(Note::BackingOff { seconds: 1 }),
        Action::ClearStrays,
    ];
    assert_eq!(world.end_program(ended), wanted);
    world.until(1.0);
    let pid = world.machine.program().expect("running again");
    let wanted = [
        Action::Note(Note::ProgramEnded { pid, ended, exiting: false }),
        Action::Note(Note::GaveUp),
        Action::ClearStrays,
    ];
    assert_eq!(world.end_program(ended), wanted);
}

#[test]
fn a_listed_exit_status_ends_the_supervisor_with_that_status() {
    for status in [0, 2] {
        let mut world = World::begin(limit(10, true), &[Life::of(50.0, Ended::Exited(status))]);
        world.until(1000.0);
        assert_eq!(world.spawns(), [0.0]);
        assert_eq!(world.finish(), Some((50.0, u8::try_from(status).expect("small"))));
        let exiting =
            |action| matches!(action, Action::Note(Note::ProgramEnded { exiting: true, .. }));
        assert_eq!(world.times(exiting), [50.0]);
    }
}

#[test]
fn a_listed_exit_status_counts_even_where_the_supervisor_would_have_given_up() {
    let mut world = World::begin(limit(1, false), &[Life::of(0.0, Ended::Exited(0))]);
    world.until(1000.0);
    assert_eq!(world.finish(), Some((0.0, 0)));
    assert_eq!(world.times_of(Action::Note(Note::GaveUp)), []);
}

#[test]
fn a_program_that_ends_well_by_a_strangers_signal_has_ended_by_itself() {
    let mut world = World::begin(defaults(), &[Life::long()]);
    world.until(20.0);
    world.end_program(Ended::Exited(0));
    assert_eq!(world.finish(), Some((20.0, 0)));
}

#[test]
fn an_exit_status_that_is_not_listed_leads_to_a_respawn() {
    let policy = Policy { exit_codes: vec![], ..defaults() };
    let mut world = World::begin(policy, &[Life::of(50.0, Ended::Exited(0))]);
    world.until(50.0);
    assert_eq!(world.spawns(), [0.0, 50.0]);
}

#[test]
fn a_death_by_a_signal_is_listed_as_minus_one_only() {
    let deaths = |exit_codes| {
        let policy = Policy { exit_codes, ..defaults() };
        let mut world = World::begin(policy, &[Life::of(50.0, killed_by(Signal::KILL))]);
        world.until(50.0);
        world.finish()
    };
    assert_eq!(deaths(vec![0, 2, 9, 137, 255]), None);
    assert_eq!(deaths(vec![0, -1]), Some((50.0, 137)));
}

#[test]
fn an_end_that_nobody_could_see_is_never_listed() {
    let policy = Policy { exit_codes: vec![-1, 0, 1], ..defaults() };
    let mut world = World::begin(policy, &[Life::of(50.0, Ended::Unknown)]);
    world.until(50.0);
    assert_eq!(world.spawns(), [0.0, 50.0]);
}

#[test]
fn a_fork_that_fails_is_tried_again_after_as_many_seconds_as_the_limit() {
    let no_fork = Life { exec: Exec::NoFork, ..Life::long() };
    let mut world = World::begin(limit(4, false), &[no_fork, no_fork, Life::long()]);
    world.until(100.0);
    assert_eq!(world.spawns(), [0.0, 4.0, 8.0]);
    assert_eq!(world.machine.backoff(), 0);
}

#[test]
fn a_program_that_cannot_be_executed_at_first_is_given_up_at_once() {
    let refused = Life { exec: Exec::Refused, ..Life::long() };
    let mut world = World::begin(limit(10, true), &[refused]);
    world.until(1000.0);
    assert_eq!((world.spawns(), world.finish()), (vec![0.0], Some((0.0, 1))));
}

#[test]
fn a_program_that_can_no_longer_be_executed_is_tried_again() {
    let refused = Life { exec: Exec::Refused, ..Life::long() };
    let lives = [Life::crash(), refused, refused, Life::long()];
    let mut world = World::begin(limit(10, false), &lives);
    world.until(100.0);
    assert_eq!(world.spawns(), [0.0, 1.0, 3.0, 6.0]);
}

#[test]
fn an_adopted_program_counts_as_up_and_as_no_restart_and_is_respawned_when_it_ends() {
    let mut world = World::new(defaults(), &[Life::long()]);
    let actions = world.adopt(Life::of(20.0, Ended::Unknown));
    let pid = world.machine.program().expect("adopted");
    assert_eq!(actions, [Action::Tell(Tell::Up(pid))]);
    assert_eq!(world.machine.restarts(), 0);
    world.until(20.0);
    assert_eq!((world.spawns(), world.machine.restarts()), (vec![20.0], 1));
}

#[test]
fn a_fork_that_failed_is_no_spawn() {
    let no_fork = Life { exec: Exec::NoFork, ..Life::long() };
    let mut world = World::begin(defaults(), &[no_fork, Life::long()]);
    world.until(100.0);
    assert_eq!(world.machine.restarts(), 0);

    let refused = Life { exec: Exec::Refused, ..Life::long() };
    let mut world = World::begin(defaults(), &[no_fork, refused]);
    world.until(100.0);
    assert_eq!((world.spawns(), world.finish()), (vec![0.0, 10.0], Some((10.0, 1))));
}
