//! Programs that do not want to end, and signals to the supervisor itself.

use super::*;

fn stop_timeout(seconds: f64) -> Policy {
    Policy { stop_timeout: Some(secs(seconds)), backoff_limit: 4, ..defaults() }
}

#[test]
fn a_program_deaf_to_sigterm_is_killed_after_the_stop_timeout() {
    let mut world = World::begin(stop_timeout(7.0), &[Life::deaf()]);
    world.until(10.0);
    world.tell(Event::Stop);
    world.until(16.9);
    assert!(world.machine.program().is_some(), "still there, and reported");
    world.until(1000.0);
    assert_eq!((world.kills(Signal::TERM), world.kills(Signal::KILL)), (vec![10.0], vec![17.0]));
    let pid = Pid::new(1).expect("positive");
    assert_eq!(world.times_of(Action::Note(Note::StopTimedOut(pid))), [17.0]);
    assert_eq!(world.finish(), Some((17.0, 0)));
}

#[test]
fn sigkill_is_repeated_every_backoff_limit_seconds_until_the_program_is_gone() {
    let mut machine = Machine::new(stop_timeout(7.0));
    let pid = Pid::new(9).expect("positive");
    let start = Mono(Duration::ZERO);
    machine.step(start, Event::Adopt(pid));
    machine.step(start, Event::Stop);
    for seconds in [7.0, 11.0, 15.0, 19.0] {
        let at = Mono(secs(seconds));
        assert_eq!(machine.deadline(), Some(at));
        let actions: Vec<Action> = machine.step(at, Event::Deadline).into_iter().collect();
        assert!(actions.contains(&Action::Kill(pid, Signal::KILL)), "{actions:?}");
        assert_eq!(machine.program(), Some(pid));
    }
}

#[test]
fn without_a_stop_timeout_nothing_is_ever_killed() {
    let policy = Policy { stop_timeout: None, ..defaults() };
    let mut world = World::begin(policy, &[Life::deaf()]);
    world.tell(Event::Stop);
    world.until(100_000.0);
    assert_eq!(world.kills(Signal::KILL), []);
    assert_eq!(world.machine.deadline(), None);
    world.end_program(Ended::Exited(0));
    world.until(100_000.0);
    assert_eq!(world.finish(), Some((100_000.0, 0)));
}

#[test]
fn a_start_during_a_stop_does_not_save_a_deaf_program_from_sigkill() {
    let mut world = World::begin(stop_timeout(7.0), &[Life::deaf(), Life::long()]);
    world.until(10.0);
    world.tell(Event::Stop);
    world.until(12.0);
    world.tell(Event::Start);
    world.until(1000.0);
    assert_eq!(world.kills(Signal::KILL), [17.0]);
    assert_eq!((world.spawns(), world.finish()), (vec![0.0, 17.0], None));
}

#[test]
fn the_exit_status_of_a_stopped_program_does_not_matter() {
    for ended in [Ended::Exited(0), Ended::Exited(7), killed_by(Signal::TERM)] {
        let life = Life { obedient_end: Some(ended), ..Life::long() };
        let mut world = World::begin(defaults(), &[life]);
        world.tell(Event::Stop);
        world.until(1.0);
        assert_eq!(world.finish(), Some((0.0, 0)));
        assert_eq!(world.times_of(Action::Note(Note::GaveUp)), []);
    }
}

#[test]
fn a_terminated_supervisor_passes_the_signal_on_and_ends_well_after_the_program() {
    for (event, signal) in [(TERMINATE, Signal::TERM), (INTERRUPT, Signal::INT)] {
        let mut world = World::begin(defaults(), &[Life::obeying_after(3.0)]);
        world.until(10.0);
        let kill = Action::Kill(Pid::new(1).expect("positive"), signal);
        assert_eq!(world.tell(event), [Action::Note(Note::Terminated(signal)), kill]);
        world.until(1000.0);
        assert_eq!(world.finish(), Some((13.0, 0)));
    }
}

#[test]
fn a_signal_that_the_terminal_gave_the_program_too_is_not_passed_on() {
    let mut world = World::begin(stop_timeout(7.0), &[Life::deaf()]);
    world.until(10.0);
    assert_eq!(world.tell(FROM_TERMINAL), [Action::Note(Note::Terminated(Signal::INT))]);
    world.until(1000.0);
    assert_eq!(world.kills(Signal::KILL), [17.0]);
    assert_eq!(world.finish(), Some((17.0, 0)));
}

#[test]
fn a_second_sigterm_changes_nothing() {
    let mut world = World::begin(stop_timeout(7.0), &[Life::deaf()]);
    world.until(10.0);
    world.tell(TERMINATE);
    world.until(12.0);
    let (phase, deadline) = (world.machine.phase(), world.machine.deadline());
    assert_eq!(world.tell(TERMINATE), [Action::Note(Note::Terminated(Signal::TERM))]);
    assert_eq!((world.machine.phase(), world.machine.deadline()), (phase, deadline));
    world.until(1000.0);
    assert_eq!((world.kills(Signal::TERM), world.finish()), (vec![10.0], Some((17.0, 0))));
}

#[test]
fn no_request_takes_a_termination_back() {
    for request in [Event::Start, Event::Restart] {
        let mut world = World::begin(stop_timeout(7.0), &[Life::deaf()]);
        world.tell(TERMINATE);
        assert_eq!(world.tell(request), [Action::Reply(Reply::ExitingNow)]);
        assert_eq!(world.machine.wish(), Wish::Gone);
        world.until(1000.0);
        assert_eq!((world.spawns(), world.finish()), (vec![0.0], Some((7.0, 0))));
    }
}

#[test]
fn a_stop_after_a_termination_does_not_make_the_supervisor_stay() {
    let policy = Policy { hang_around: true, ..stop_timeout(7.0) };
    let mut world = World::begin(policy, &[Life::deaf()]);
    world.tell(TERMINATE);
    world.tell(Event::Stop);
    world.until(1000.0);
    assert_eq!(world.finish(), Some((7.0, 0)));
}

#[test]
fn a_termination_during_a_restart_ends_the_supervisor_after_the_program() {
    let mut world = World::begin(stop_timeout(7.0), &[Life::deaf()]);
    world.until(10.0);
    world.tell(Event::Restart);
    world.until(12.0);
    world.tell(TERMINATE);
    world.until(1000.0);
    assert_eq!((world.spawns(), world.finish()), (vec![0.0], Some((17.0, 0))));
}

#[test]
fn a_terminated_supervisor_without_a_program_ends_at_once() {
    let mut world = World::begin(defaults(), &[Life::crash()]);
    world.until(0.5);
    world.tell(TERMINATE);
    world.until(1000.0);
    assert_eq!(world.finish(), Some((0.5, 0)));

    let policy = Policy { hang_around: true, ..defaults() };
    let mut world = World::begin(policy, &[Life::long()]);
    world.tell(Event::Stop);
    world.until(10.0);
    world.tell(TERMINATE);
    world.until(1000.0);
    assert_eq!(world.finish(), Some((10.0, 0)));
}

#[test]
fn a_terminated_supervisor_clears_strays_first() {
    let life = Life::crash().leaving(Strays::Obey(secs(3.0)));
    let mut world = World::begin(defaults(), &[life]);
    world.until(1.0);
    world.tell(TERMINATE);
    world.until(1000.0);
    assert_eq!((world.spawns(), world.finish()), (vec![0.0], Some((3.0, 0))));
}

#[test]
fn a_stop_or_a_termination_that_comes_before_the_fork_stops_what_was_forked() {
    for event in [Event::Stop, Event::Exit, TERMINATE] {
        let life = Life { interrupted_by: [Some(event), None], ..Life::deaf() };
        let mut world = World::begin(stop_timeout(7.0), &[life]);
        world.until(1000.0);
        assert_eq!(world.kills(Signal::TERM), [0.0]);
        assert_eq!((world.spawns(), world.finish()), (vec![0.0], Some((7.0, 0))));
    }
}
