//! The exit status of a supervisor that stands in for its program.

use super::*;

fn attached() -> Policy {
    Policy { attached: true, ..defaults() }
}

fn obeying_with(ended: Ended) -> Life {
    Life { obedient_end: Some(ended), ..Life::long() }
}

fn after(event: Event, life: Life, policy: Policy) -> Option<u8> {
    let mut world = World::begin(policy, &[life]);
    world.until(10.0);
    world.tell(event);
    world.until(1000.0);
    world.finish().map(|(_, status)| status)
}

fn by_itself(ended: Ended, policy: Policy) -> Option<u8> {
    let mut world = World::begin(policy, &[Life::of(0.5, ended)]);
    world.until(1000.0);
    world.finish().map(|(_, status)| status)
}

#[test]
fn an_attached_supervisor_that_is_interrupted_ends_with_130() {
    for event in [INTERRUPT, FROM_TERMINAL] {
        for ended in [Ended::Exited(0), Ended::Exited(3), killed_by(Signal::INT)] {
            assert_eq!(after(event, obeying_with(ended), attached()), Some(130));
        }
    }
    let mut world = World::begin(attached(), &[Life::crash()]);
    world.until(0.5);
    world.tell(INTERRUPT);
    world.until(0.5);
    assert_eq!(world.finish(), Some((0.5, 130)));
}

#[test]
fn a_detached_supervisor_that_is_interrupted_has_done_as_it_was_told() {
    assert_eq!(after(INTERRUPT, obeying_with(Ended::Exited(3)), defaults()), Some(0));
}

#[test]
fn an_attached_supervisor_passes_on_the_failure_of_a_program_that_was_stopped() {
    for event in [TERMINATE, Event::Stop, Event::Exit] {
        assert_eq!(after(event, obeying_with(Ended::Exited(3)), attached()), Some(3));
        assert_eq!(after(event, obeying_with(Ended::Exited(0)), attached()), Some(0));
        assert_eq!(after(event, obeying_with(Ended::Exited(3)), defaults()), Some(0));
    }
}

#[test]
fn the_death_of_a_stopped_program_by_the_signal_is_no_failure() {
    assert_eq!(after(TERMINATE, Life::long(), attached()), Some(0));
    assert_eq!(after(TERMINATE, Life::deaf(), attached()), Some(0));
}

#[test]
fn the_failure_of_a_restarted_program_is_not_passed_on() {
    let lives = [obeying_with(Ended::Exited(3)), Life::long()];
    let mut world = World::begin(attached(), &lives);
    world.until(10.0);
    world.tell(Event::Restart);
    world.until(20.0);
    world.tell(TERMINATE);
    world.until(20.0);
    assert_eq!(world.finish(), Some((20.0, 0)));
}

#[test]
fn an_attached_supervisor_that_gives_up_ends_as_the_program_did_last() {
    let quick = Policy { backoff_limit: 2, ..attached() };
    assert_eq!(by_itself(Ended::Exited(3), quick.clone()), Some(3));
    assert_eq!(by_itself(killed_by(Signal::KILL), quick.clone()), Some(137));
    let unlisted = Policy { exit_codes: vec![], ..quick };
    assert_eq!(by_itself(Ended::Exited(0), unlisted), Some(1));
}

#[test]
fn a_detached_supervisor_that_gives_up_ends_with_1() {
    let quick = Policy { backoff_limit: 2, ..defaults() };
    assert_eq!(by_itself(Ended::Exited(3), quick.clone()), Some(1));
    assert_eq!(by_itself(killed_by(Signal::KILL), quick), Some(1));
}

#[test]
fn an_attached_supervisor_whose_program_cannot_be_executed_ends_with_127() {
    let refused = Life { exec: Exec::Refused, ..Life::long() };
    let mut world = World::begin(attached(), &[refused]);
    world.until(1.0);
    assert_eq!(world.finish(), Some((0.0, 127)));
}

#[test]
fn a_termination_after_the_supervisor_gave_up_keeps_its_failure() {
    let policy = Policy { backoff_limit: 1, ..defaults() };
    let mut world = World::begin(policy, &[Life::crash().leaving(Strays::Deaf)]);
    world.until(1.0);
    world.tell(TERMINATE);
    world.until(1000.0);
    assert_eq!(world.finish(), Some((5.0, 1)));
}
