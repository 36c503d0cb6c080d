//! start, stop, restart and exit, in every phase they can arrive in.

use super::Reply::*;
use super::*;

fn reply(reply: Reply) -> Action {
    Action::Reply(reply)
}

fn pid(number: i32) -> Pid {
    Pid::new(number).expect("positive")
}

fn term(number: i32) -> Action {
    Action::Kill(pid(number), Signal::TERM)
}

/// Up for ten seconds, with a program that needs one more to obey.
fn running() -> World {
    let mut world = World::begin(defaults(), &[Life::obeying_after(1.0)]);
    world.until(10.0);
    world
}

/// Ten seconds after a stop, and the program still there.
fn stopping(policy: Policy) -> World {
    let mut world = World::begin(policy, &[Life::obeying_after(60.0), Life::long()]);
    world.until(10.0);
    world.tell(Event::Stop);
    world.until(20.0);
    world
}

/// Half way through the two seconds after the second crash.
fn backing_off(policy: Policy) -> World {
    let mut world = World::begin(policy, &[Life::crash(), Life::crash(), Life::long()]);
    world.until(2.0);
    assert_eq!(world.machine.backoff(), 2);
    assert!(matches!(world.machine.phase(), Phase::BackingOff { .. }));
    world
}

fn staying() -> Policy {
    Policy { hang_around: true, ..defaults() }
}

/// The program was stopped, and the supervisor stays.
fn idle() -> World {
    let mut world = World::begin(staying(), &[Life::long()]);
    world.until(10.0);
    world.tell(Event::Stop);
    world.until(10.0);
    assert_eq!((world.machine.phase(), world.machine.wish()), (Phase::Idle, Wish::Down));
    world
}

/// The program was stopped, and what it left takes three seconds to go.
fn clearing(policy: Policy) -> World {
    let life = Life::long().leaving(Strays::Obey(secs(3.0)));
    let mut world = World::begin(policy, &[life, Life::long()]);
    world.until(10.0);
    world.tell(Event::Stop);
    world.until(11.0);
    assert!(matches!(world.machine.phase(), Phase::Clearing { .. }));
    world
}

#[test]
fn start_when_idle_spawns_at_once() {
    let mut world = idle();
    world.until(15.0);
    assert_eq!(world.tell(Event::Start), [reply(Started), Action::Spawn]);
    assert_eq!(world.machine.wish(), Wish::Up);
}

#[test]
fn restart_when_idle_is_a_start() {
    let mut world = idle();
    assert_eq!(world.tell(Event::Restart), [reply(Started), Action::Spawn]);
    assert_eq!(world.machine.wish(), Wish::Up);
}

#[test]
fn stop_when_idle_says_so_and_those_who_wait_hear_it() {
    let mut world = idle();
    let wanted = [reply(AlreadyStopped), Action::Tell(Tell::Down { for_good: true })];
    assert_eq!(world.tell(Event::Stop), wanted);
    assert_eq!(world.finish(), None);
}

#[test]
fn exit_when_idle_ends_the_supervisor() {
    let mut world = idle();
    assert_eq!(world.tell(Event::Exit), [reply(ExitingNow), Action::Finish(0)]);
}

#[test]
fn nothing_is_due_when_idle() {
    let mut world = idle();
    assert_eq!(world.machine.deadline(), None);
    assert_eq!(world.tell(Event::Deadline), []);
}

#[test]
fn start_while_backing_off_spawns_at_once_and_forgets_the_quick_deaths() {
    let mut world = backing_off(defaults());
    assert_eq!(world.tell(Event::Start), [reply(Started), Action::Spawn]);
    world.end_program(Ended::Exited(1));
    assert_eq!(world.machine.backoff(), 1);
    world.until(3.0);
    assert_eq!(world.spawns(), [0.0, 1.0, 2.0, 3.0]);
}

#[test]
fn restart_while_backing_off_spawns_at_once_and_forgets_the_quick_deaths() {
    let mut world = backing_off(defaults());
    assert_eq!(world.tell(Event::Restart), [reply(Started), Action::Spawn]);
    assert_eq!(world.machine.backoff(), 0);
}

#[test]
fn stop_while_backing_off_ends_the_supervisor_at_once() {
    let mut world = backing_off(defaults());
    assert_eq!(world.tell(Event::Stop)[0], reply(AlreadyStopped));
    world.until(1000.0);
    assert_eq!(world.finish(), Some((2.0, 0)));
}

#[test]
fn stop_while_backing_off_leaves_a_supervisor_that_stays_idle() {
    let mut world = backing_off(staying());
    world.tell(Event::Stop);
    world.until(1000.0);
    assert_eq!((world.machine.phase(), world.machine.wish()), (Phase::Idle, Wish::Down));
    assert_eq!(world.times_of(Action::Tell(Tell::Down { for_good: true })), [2.0]);
    assert_eq!(world.spawns(), [0.0, 1.0]);
}

#[test]
fn exit_while_backing_off_ends_even_a_supervisor_that_stays() {
    let mut world = backing_off(staying());
    assert_eq!(world.tell(Event::Exit)[0], reply(ExitingNow));
    world.until(1000.0);
    assert_eq!(world.finish(), Some((2.0, 0)));
}

#[test]
fn start_of_a_running_program_changes_nothing() {
    let mut world = running();
    let phase = world.machine.phase();
    assert_eq!(world.tell(Event::Start), [reply(AlreadyStarted)]);
    assert_eq!(world.machine.phase(), phase);
}

#[test]
fn stop_of_a_running_program_sends_it_sigterm_and_ends_the_supervisor_after_it() {
    let mut world = running();
    assert_eq!(world.tell(Event::Stop), [reply(SentTerm), term(1)]);
    world.until(1000.0);
    assert_eq!(world.finish(), Some((11.0, 0)));
    assert_eq!(world.spawns(), [0.0]);
}

#[test]
fn stop_of_a_running_program_leaves_a_supervisor_that_stays() {
    let mut world = idle();
    world.until(1000.0);
    assert_eq!(world.times_of(Action::Tell(Tell::Down { for_good: true })), [10.0]);
    assert_eq!(world.finish(), None);
}

#[test]
fn restart_of_a_running_program_spawns_again_at_its_end_whatever_its_exit_status() {
    let obedient_end = Some(Ended::Exited(0));
    let life = Life { obedient_end, ..Life::obeying_after(3.0) };
    let mut world = World::begin(defaults(), &[life]);
    world.until(1.5);
    assert_eq!(world.tell(Event::Restart), [reply(WillRestart), term(1)]);
    world.until(1000.0);
    assert_eq!(world.spawns(), [0.0, 4.5]);
    assert_eq!((world.machine.wish(), world.machine.backoff()), (Wish::Up, 0));
    let ended = Ended::Exited(0);
    let note = Action::Note(Note::ProgramStopped { pid: pid(1), ended });
    assert_eq!(world.times_of(note), [4.5]);
}

#[test]
fn exit_while_running_stops_the_program_and_even_a_supervisor_that_stays() {
    let mut world = World::begin(staying(), &[Life::long()]);
    world.until(10.0);
    assert_eq!(world.tell(Event::Exit), [reply(WillExit), term(1)]);
    world.until(1000.0);
    assert_eq!(world.finish(), Some((10.0, 0)));
}

#[test]
fn a_program_whose_exec_still_hangs_can_be_stopped_and_restarted() {
    let hanging = Life { exec: Exec::Hangs, ..Life::long() };
    let mut world = World::begin(defaults(), &[hanging]);
    assert_eq!(world.tell(Event::Start), [reply(AlreadyStarted)]);
    assert_eq!(world.tell(Event::Restart), [reply(WillRestart), term(1)]);
    world.until(0.0);
    assert_eq!(world.spawns(), [0.0, 0.0]);
    assert_eq!(world.tell(Event::Stop), [reply(SentTerm), term(2)]);
    world.until(1.0);
    assert_eq!(world.finish(), Some((0.0, 0)));
}

#[test]
fn start_during_a_stop_spawns_after_the_end_and_keeps_the_time_to_kill() {
    let mut world = stopping(defaults());
    let deadline = world.machine.deadline();
    assert_eq!(world.tell(Event::Start), [reply(Started)]);
    assert_eq!(world.machine.wish(), Wish::Up);
    assert_eq!(world.machine.deadline(), deadline);
    world.until(1000.0);
    assert_eq!(world.spawns(), [0.0, 70.0]);
    assert_eq!(world.finish(), None);
}

#[test]
fn stop_during_a_stop_sends_sigterm_again_and_gives_the_whole_time_again() {
    let mut world = stopping(defaults());
    assert_eq!(world.machine.deadline(), Some(Mono(secs(310.0))));
    assert_eq!(world.tell(Event::Stop), [reply(SentTerm), term(1)]);
    assert_eq!(world.machine.deadline(), Some(Mono(secs(320.0))));
    world.until(1000.0);
    assert_eq!(world.finish(), Some((70.0, 0)));
}

#[test]
fn restart_during_a_stop_takes_the_stop_back() {
    let mut world = stopping(defaults());
    assert_eq!(world.tell(Event::Restart), [reply(WillRestart), term(1)]);
    world.until(1000.0);
    assert_eq!((world.spawns(), world.finish()), (vec![0.0, 70.0], None));
}

#[test]
fn stop_during_a_restart_takes_the_restart_back() {
    let mut world = stopping(defaults());
    world.tell(Event::Restart);
    assert_eq!(world.tell(Event::Stop), [reply(SentTerm), term(1)]);
    world.until(1000.0);
    assert_eq!((world.spawns(), world.finish()), (vec![0.0], Some((70.0, 0))));
}

#[test]
fn exit_during_a_stop_ends_even_a_supervisor_that_stays() {
    let mut world = stopping(staying());
    assert_eq!(world.tell(Event::Exit), [reply(WillExit), term(1)]);
    world.until(1000.0);
    assert_eq!(world.finish(), Some((70.0, 0)));
}

#[test]
fn a_stop_after_an_exit_does_not_make_the_supervisor_stay() {
    let mut world = stopping(staying());
    world.tell(Event::Exit);
    world.tell(Event::Stop);
    assert_eq!(world.machine.wish(), Wish::Gone);
    world.until(1000.0);
    assert_eq!(world.finish(), Some((70.0, 0)));
}

#[test]
fn start_while_strays_are_cleared_spawns_when_they_are_gone() {
    let mut world = clearing(defaults());
    assert_eq!(world.tell(Event::Start), [reply(Started)]);
    world.until(1000.0);
    assert_eq!((world.spawns(), world.finish()), (vec![0.0, 13.0], None));
}

#[test]
fn restart_while_strays_are_cleared_spawns_when_they_are_gone() {
    let mut world = clearing(staying());
    assert_eq!(world.tell(Event::Restart), [reply(Started)]);
    world.until(1000.0);
    assert_eq!(world.spawns(), [0.0, 13.0]);
}

#[test]
fn stop_while_strays_are_cleared_waits_for_them() {
    let mut world = clearing(defaults());
    assert_eq!(world.tell(Event::Stop), [reply(AlreadyStopped)]);
    world.until(1000.0);
    assert_eq!(world.finish(), Some((13.0, 0)));
}

#[test]
fn exit_while_strays_are_cleared_ends_even_a_supervisor_that_stays() {
    let mut world = clearing(staying());
    assert_eq!(world.tell(Event::Exit), [reply(ExitingNow)]);
    world.until(1000.0);
    assert_eq!(world.finish(), Some((13.0, 0)));
}

#[test]
fn stop_while_strays_are_cleared_before_a_respawn_takes_the_respawn_back() {
    let life = Life::crash().leaving(Strays::Obey(secs(3.0)));
    let mut world = World::begin(defaults(), &[life]);
    world.until(0.5);
    assert_eq!(world.tell(Event::Stop), [reply(AlreadyStopped)]);
    world.until(1000.0);
    assert_eq!((world.spawns(), world.finish()), (vec![0.0], Some((3.0, 0))));
}

#[test]
fn start_after_the_supervisor_gave_up_is_a_new_beginning_while_strays_last() {
    let policy = Policy { backoff_limit: 1, ..defaults() };
    let life = Life::crash().leaving(Strays::Obey(secs(3.0)));
    let mut world = World::begin(policy, &[life, Life::long()]);
    world.until(1.0);
    assert_eq!(world.machine.wish(), Wish::Gone);
    assert_eq!(world.tell(Event::Start), [reply(Started)]);
    world.until(10.0);
    assert_eq!(world.spawns(), [0.0, 3.0]);
    world.tell(Event::Stop);
    world.until(10.0);
    assert_eq!(world.finish(), Some((10.0, 0)));
}

#[test]
fn start_of_a_running_program_forgets_the_quick_deaths_before() {
    let mut world = World::begin(defaults(), &[Life::crash(), Life::crash(), Life::long()]);
    world.until(3.5);
    assert_eq!((world.spawns().len(), world.machine.backoff()), (3, 2));
    world.tell(Event::Start);
    assert_eq!(world.machine.backoff(), 0);
}

#[test]
fn stop_forgets_the_quick_deaths_before() {
    let mut world = backing_off(staying());
    world.tell(Event::Stop);
    world.until(2.0);
    assert_eq!((world.machine.phase(), world.machine.backoff()), (Phase::Idle, 0));
}

#[test]
fn requests_that_come_before_the_fork_are_answered_by_what_will_happen() {
    let mut machine = Machine::new(defaults());
    let start = Mono(Duration::ZERO);
    machine.step(start, Event::Begin);
    let wanted = [
        (Event::Start, AlreadyStarted, Wish::Up),
        (Event::Stop, SentTerm, Wish::Gone),
        (Event::Start, Started, Wish::Up),
        (Event::Exit, WillExit, Wish::Gone),
        (Event::Restart, Started, Wish::Up),
    ];
    for (request, answer, wish) in wanted {
        let actions: Vec<Action> = machine.step(start, request).into_iter().collect();
        assert_eq!((actions, machine.wish()), (vec![reply(answer)], wish), "{request:?}");
    }
    assert_eq!(machine.step(start, Event::Spawned(pid(7))).into_iter().count(), 0);
}

#[test]
fn a_supervisor_that_has_finished_says_so_and_does_nothing() {
    let mut world = idle();
    world.tell(Event::Exit);
    let answers = [
        (Event::Start, ExitingNow),
        (Event::Restart, ExitingNow),
        (Event::Stop, AlreadyStopped),
        (Event::Exit, ExitingNow),
    ];
    for (request, answer) in answers {
        assert_eq!(world.tell(request), [reply(answer)]);
        assert_eq!(world.machine.phase(), Phase::Finished);
    }
    assert_eq!(world.machine.deadline(), None);
}
