//! What a program leaves behind goes before anything else happens.

use super::*;

const LEFT: Action = Action::Note(Note::StraysLeft);

fn unkillable() -> Policy {
    Policy { stop_timeout: None, hang_around: true, ..defaults() }
}

fn up(life: Life, policy: Policy) -> World {
    let mut world = World::begin(policy, &[life, Life::long()]);
    world.until(10.0);
    world
}

#[test]
fn strays_are_asked_to_end_when_the_program_is_gone_and_not_before() {
    let life = Life::obeying_after(3.0).leaving(Strays::Obey(secs(2.0)));
    let mut world = up(life, defaults());
    world.tell(Event::Stop);
    world.until(1000.0);
    assert_eq!(world.times_of(Action::ClearStrays), [13.0]);
    assert_eq!(world.times_of(Action::KillStrays), []);
    assert_eq!(world.finish(), Some((15.0, 0)));
}

#[test]
fn deaf_strays_are_killed_after_five_seconds() {
    let mut world = up(Life::long().leaving(Strays::Deaf), defaults());
    world.tell(Event::Stop);
    world.until(1000.0);
    assert_eq!(world.times_of(Action::KillStrays), [15.0]);
    assert_eq!(world.times_of(Action::Note(Note::StraysKilled)), [15.0]);
    assert_eq!(world.finish(), Some((15.0, 0)));
}

#[test]
fn deaf_strays_get_no_more_time_than_the_program_would() {
    let policy = Policy { stop_timeout: Some(secs(2.0)), ..defaults() };
    let mut world = up(Life::long().leaving(Strays::Deaf), policy);
    world.tell(Event::Stop);
    world.until(1000.0);
    assert_eq!(world.finish(), Some((12.0, 0)));
}

#[test]
fn strays_are_killed_again_every_half_second_until_all_are_gone() {
    let mut machine = Machine::new(defaults());
    let pid = Pid::new(9).expect("positive");
    machine.step(Mono(Duration::ZERO), Event::Adopt(pid));
    machine.step(Mono(Duration::ZERO), Event::Stop);
    machine.step(Mono(Duration::ZERO), Event::Ended(Ended::Unknown));
    for seconds in [5.0, 5.5, 6.0] {
        let at = Mono(secs(seconds));
        assert_eq!(machine.deadline(), Some(at));
        let actions: Vec<Action> = machine.step(at, Event::Deadline).into_iter().collect();
        assert!(actions.contains(&Action::KillStrays), "{actions:?}");
    }
}

#[test]
fn inherited_strays_go_before_anything_is_started_or_the_end() {
    for (stopped, last) in [(false, Action::Spawn), (true, Action::Finish(0))] {
        let now = Mono(Duration::ZERO);
        let mut machine = Machine::new(defaults());
        let began: Vec<Action> = machine.step(now, Event::Inherit).into_iter().collect();
        assert_eq!(began, [Action::ClearStrays]);
        if stopped {
            machine.step(now, Event::Stop);
        }
        let cleared: Vec<Action> = machine.step(now, Event::Cleared).into_iter().collect();
        assert_eq!(cleared.last(), Some(&last));
    }
}

#[test]
fn a_respawn_waits_until_the_strays_are_gone() {
    let life = Life::of(20.0, Ended::Exited(1)).leaving(Strays::Deaf);
    let mut world = up(life, defaults());
    world.until(1000.0);
    assert_eq!(world.spawns(), [0.0, 25.0]);
}

#[test]
fn the_time_that_strays_take_is_part_of_the_backoff() {
    let life = Life::crash().leaving(Strays::Obey(secs(0.5)));
    let mut world = World::begin(defaults(), &[life, Life::long()]);
    world.until(0.75);
    assert!(matches!(world.machine.phase(), Phase::BackingOff { .. }));
    world.until(1000.0);
    assert_eq!(world.spawns(), [0.0, 1.0]);
}

#[test]
fn a_start_while_strays_are_cleared_takes_the_rest_of_the_backoff_back() {
    let life = Life::crash().leaving(Strays::Obey(secs(0.5)));
    let mut world = World::begin(defaults(), &[life, Life::long()]);
    world.until(0.25);
    world.tell(Event::Start);
    world.until(1000.0);
    assert_eq!(world.spawns(), [0.0, 0.5]);
}

#[test]
fn those_who_wait_for_the_end_hear_of_it_when_the_strays_are_gone_too() {
    let life = Life::long().leaving(Strays::Obey(secs(2.0)));
    let mut world = up(life, Policy { hang_around: true, ..defaults() });
    world.tell(Event::Stop);
    world.until(1000.0);
    assert_eq!(world.times_of(Action::Tell(Tell::Down { for_good: true })), [12.0]);

    let mut world = up(life, defaults());
    world.tell(Event::Restart);
    world.until(1000.0);
    assert_eq!(world.times_of(Action::Tell(Tell::Down { for_good: false })), [12.0]);
    assert_eq!(world.times_of(Action::Tell(Tell::Down { for_good: true })), []);
}

#[test]
fn strays_of_a_program_that_ended_as_it_should_are_left_alone() {
    let life = Life::of(20.0, Ended::Exited(0)).leaving(Strays::Deaf);
    let mut world = up(life, defaults());
    world.until(1000.0);
    assert_eq!(world.times_of(Action::ClearStrays), []);
    assert_eq!(world.finish(), Some((20.0, 0)));
}

#[test]
fn a_supervisor_that_gives_up_clears_strays_first() {
    let policy = Policy { backoff_limit: 1, ..defaults() };
    let mut world = World::begin(policy, &[Life::crash().leaving(Strays::Deaf)]);
    world.until(1000.0);
    assert_eq!(world.times_of(Action::Note(Note::GaveUp)), [0.0]);
    assert_eq!(world.finish(), Some((5.0, 1)));
}

#[test]
fn where_nothing_may_be_killed_a_respawn_goes_on_beside_the_strays() {
    let life = Life::of(20.0, Ended::Exited(1)).leaving(Strays::Deaf);
    let mut world = up(life, unkillable());
    world.until(1000.0);
    assert_eq!(world.times_of(Action::KillStrays), []);
    assert_eq!((world.times_of(LEFT), world.spawns()), (vec![25.0], vec![0.0, 25.0]));
}

#[test]
fn where_nothing_may_be_killed_a_stop_waits_for_the_strays() {
    let mut world = up(Life::long().leaving(Strays::Deaf), unkillable());
    world.tell(Event::Stop);
    world.until(1000.0);
    assert!(matches!(world.machine.phase(), Phase::Clearing { .. }));
    assert_eq!(world.times_of(Action::KillStrays), []);
    world.heal_strays();
    world.until(2000.0);
    assert_eq!(world.machine.phase(), Phase::Idle);
    assert_eq!(world.times_of(Action::Tell(Tell::Down { for_good: true })), [1001.0]);
}

#[test]
fn a_stop_while_backing_off_waits_for_strays_that_were_left_before() {
    for event in [Event::Stop, Event::Exit, TERMINATE] {
        let life = Life::crash().leaving(Strays::Deaf);
        let policy = Policy { backoff_limit: 20, ..unkillable() };
        let mut world = World::begin(policy, &[Life::crash(), Life::crash(), life]);
        // The seventh pause of nine seconds began at 39, and five went to the strays.
        world.until(46.0);
        assert!(matches!(world.machine.phase(), Phase::BackingOff { .. }));
        assert_eq!(world.strays, Strays::Deaf);
        world.tell(event);
        world.until(1000.0);
        assert!(matches!(world.machine.phase(), Phase::Clearing { .. }));
        world.heal_strays();
        world.until(1002.0);
        let done = world.finish() == Some((1001.0, 0)) || world.machine.phase() == Phase::Idle;
        assert!(done, "{:?}", world.machine.phase());
    }
}

#[test]
fn a_start_does_not_wait_for_strays_that_may_not_be_killed_and_had_their_time() {
    for request in [Event::Start, Event::Restart] {
        let mut world = up(Life::long().leaving(Strays::Deaf), unkillable());
        world.tell(Event::Stop);
        world.until(100.0);
        assert_eq!(world.tell(request)[0], Action::Reply(Reply::Started));
        assert_eq!((world.times_of(LEFT), world.spawns()), (vec![100.0], vec![0.0, 100.0]));
    }
}
