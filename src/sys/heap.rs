//! The memory allocator of the binary: a fixed arena in .bss, so that a small
//! heap costs the pages that it touches, which it shares with the C library's
//! data behind it, and no mapping or page table of its own. Blocks are taken from
//! the arena's end downwards, long ones from its beginning upwards; what does not
//! fit comes from the C library. Every allocation is counted, so that "no
//! allocation after start-up" can be shown. For one thread only: this program
//! never starts another.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr::null_mut;

#[cfg_attr(not(test), global_allocator)]
#[cfg_attr(test, allow(dead_code))]
static HEAP: Heap<{ 1 << 20 }> = Heap::new();

/// How often memory has been asked for since the process began.
pub(crate) fn allocations() -> u64 {
    HEAP.allocations()
}

/// Alignment of every block; also the smallest one.
const GRAIN: usize = 16;
/// Sizes from one power of two to the next are rounded up to one of so many.
const STEPS: usize = 4;
/// Longer blocks stand apart and are not kept for reuse.
const LONGEST_KEPT: usize = 64 << 10;
/// The classes of 16, 32 and 48 bytes, then `STEPS` a power of two up to the longest.
const CLASSES: usize = 3 + STEPS * (LONGEST_KEPT / 64).ilog2() as usize + 1;

/// The state stands behind the arena, near the blocks that are taken first.
#[repr(C)]
struct Heap<const SIZE: usize> {
    arena: UnsafeCell<Arena<SIZE>>,
    state: UnsafeCell<State>,
}

#[repr(C, align(16))]
struct Arena<const SIZE: usize>([u8; SIZE]);

struct State {
    /// Bytes at the arena's end that were ever given out as blocks of a class.
    used: usize,
    /// Bytes at its beginning that are given out as long blocks. What lies
    /// between the two holds zeros.
    long: usize,
    allocations: u64,
    /// Blocks that came back, by class; each begins with a pointer to the next.
    free: [*mut u8; CLASSES],
}

// SAFETY: the process has one thread, which the head of this file promises.
unsafe impl<const SIZE: usize> Sync for Heap<SIZE> {}

/// The class of a size and the length of its blocks.
fn class_of(size: usize) -> (usize, usize) {
    let size = size.max(1).next_multiple_of(GRAIN);
    if size < 64 {
        return (size / GRAIN - 1, size);
    }
    let power = size.ilog2() as usize;
    let step = (1 << power) / STEPS;
    let rounded = size.next_multiple_of(step);
    let class = 3 + (power - 6) * STEPS + (rounded - (1 << power)) / step;
    (class, rounded)
}

impl<const SIZE: usize> Heap<SIZE> {
    const fn new() -> Heap<SIZE> {
        Heap {
            arena: UnsafeCell::new(Arena([0; SIZE])),
            state: UnsafeCell::new(State {
                used: 0,
                long: 0,
                allocations: 0,
                free: [null_mut(); CLASSES],
            }),
        }
    }

    #[allow(clippy::mut_from_ref)]
    fn state(&self) -> &mut State {
        // SAFETY: one thread, and no caller keeps the reference across another
        // call of this function.
        unsafe { &mut *self.state.get() }
    }

    fn allocations(&self) -> u64 {
        self.state().allocations
    }

    fn base(&self) -> *mut u8 {
        self.arena.get().cast()
    }

    /// Where in the arena a block lies; none for one of the C library's.
    fn offset(&self, block: *mut u8) -> Option<usize> {
        (block as usize).checked_sub(self.base() as usize).filter(|offset| *offset < SIZE)
    }

    /// A block of the arena, and whether it holds zeros; null if there is no
    /// room.
    fn take(&self, size: usize) -> (*mut u8, bool) {
        let state = self.state();
        let (class, length) = class_of(size);
        let room = SIZE - state.used - state.long;
        let Some(head) = state.free.get_mut(class) else {
            if length > room {
                return (null_mut(), false);
            }
            state.long += length;
            return (self.at(state.long - length), true);
        };
        let block = *head;
        if !block.is_null() {
            // SAFETY: a free block is one of ours of at least `GRAIN` aligned
            // bytes; `give_back` has written the pointer there.
            *head = unsafe { block.cast::<*mut u8>().read() };
            return (block, false);
        }
        if length > room {
            return (null_mut(), false);
        }
        state.used += length;
        (self.at(SIZE - state.used), true)
    }

    fn give_back(&self, block: *mut u8, offset: usize, size: usize) {
        let state = self.state();
        let (class, length) = class_of(size);
        if let Some(head) = state.free.get_mut(class) {
            // SAFETY: the block is ours again and holds at least one pointer.
            unsafe { block.cast::<*mut u8>().write(*head) };
            *head = block;
        } else if offset + length == state.long {
            // SAFETY: the block is ours again and `length` bytes long.
            unsafe { block.write_bytes(0, length) };
            state.long = offset;
        }
    }

    /// Makes the last of the long blocks longer where it stands.
    fn lengthen_last(&self, offset: usize, old: usize, new: usize) -> bool {
        let state = self.state();
        let ((old_class, old), (new_class, new)) = (class_of(old), class_of(new));
        let long = old_class.min(new_class) >= CLASSES;
        if !long || new < old || offset + old != state.long || new > SIZE - state.used - offset {
            return old == new;
        }
        state.long = offset + new;
        true
    }

    fn at(&self, offset: usize) -> *mut u8 {
        // SAFETY: both callers pass an offset within the arena.
        unsafe { self.base().add(offset) }
    }
}

// SAFETY: blocks do not overlap: each is carved once from the arena, and is on
// a free list or with one owner; all are aligned to `GRAIN`, and what asks for
// more goes to the C library.
unsafe impl<const SIZE: usize> GlobalAlloc for Heap<SIZE> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.state().allocations += 1;
        let block = match layout.align() {
            ..=GRAIN => self.take(layout.size()).0,
            _ => null_mut(),
        };
        if !block.is_null() {
            return block;
        }
        // SAFETY: passed on as the caller promised it.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.state().allocations += 1;
        let (block, zeroed) = match layout.align() {
            ..=GRAIN => self.take(layout.size()),
            _ => (null_mut(), false),
        };
        if block.is_null() {
            // SAFETY: passed on as the caller promised it.
            return unsafe { System.alloc_zeroed(layout) };
        }
        if !zeroed {
            // SAFETY: the block has at least this many bytes.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match self.offset(block) {
            Some(offset) => self.give_back(block, offset, layout.size()),
            // SAFETY: not of the arena, so it is of the C library.
            None => unsafe { System.dealloc(block, layout) },
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Some(offset) = self.offset(block) else {
            self.state().allocations += 1;
            // SAFETY: not of the arena, so it is of the C library.
            return unsafe { System.realloc(block, layout, size) };
        };
        if self.lengthen_last(offset, layout.size(), size) {
            self.state().allocations += 1;
            return block;
        }
        // SAFETY: the caller promises a size that is valid with this alignment.
        let layout_now = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: as the caller promised for this call.
        let moved = unsafe { self.alloc(layout_now) };
        if !moved.is_null() {
            // SAFETY: both blocks have that many bytes and do not overlap.
            unsafe { moved.copy_from_nonoverlapping(block, layout.size().min(size)) };
            self.give_back(block, offset, layout.size());
        }
        moved
    }
}
