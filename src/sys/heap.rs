//! The memory allocator of the binary: a fixed arena in .bss, so that a small
//! heap costs the pages that it touches, which it shares with the C library's
//! data before it, and no mapping or page table of its own. Blocks are taken from
//! the arena's beginning, long ones from its end; what does not fit comes from the
//! C library. Every allocation is counted, so that "no allocation after start-up"
//! can be shown. For one thread only: this program never starts another.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr::null_mut;

/// The name of its section lets a linker that sorts by name put it behind all
/// other data, so that both share a page.
#[cfg_attr(not(test), global_allocator)]
#[unsafe(link_section = ".bss.zz_heap")]
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
/// Blocks of this length and more stand apart, so that the others stay together.
const LONG: usize = 16 << 10;
/// The same for blocks that begin as zeros: such a buffer waits untouched for a
/// use that may never come, and its pages do not exist until then.
const LONG_ZEROS: usize = 1 << 10;
/// Longer blocks are not kept for reuse.
const LONGEST_KEPT: usize = 64 << 10;
/// The classes of 16, 32 and 48 bytes, then `STEPS` a power of two up to the longest.
const CLASSES: usize = 3 + STEPS * (LONGEST_KEPT / 64).ilog2() as usize + 1;

/// The state stands before the arena, near the blocks that are taken first.
#[repr(C)]
struct Heap<const SIZE: usize> {
    state: UnsafeCell<State>,
    arena: UnsafeCell<Arena<SIZE>>,
}

#[repr(C, align(16))]
struct Arena<const SIZE: usize>([u8; SIZE]);

struct State {
    /// Bytes at the arena's beginning that were ever given out.
    used: usize,
    /// Bytes at its end that are given out as long blocks, or wait to be so again.
    /// What lies between the two holds zeros.
    long: usize,
    allocations: u64,
    /// Blocks that came back, by class; each begins with a pointer to the next.
    free: [*mut u8; CLASSES],
    /// A bit for each class of which there are such blocks.
    has_free: u64,
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

/// The length of the blocks of a class.
fn length_of(class: usize) -> usize {
    match class.checked_sub(3) {
        None => (class + 1) * GRAIN,
        Some(step) => (STEPS + step % STEPS) << (step / STEPS + 6 - STEPS.ilog2() as usize),
    }
}

impl State {
    fn push(&mut self, block: *mut u8, class: usize) {
        let Some(head) = self.free.get_mut(class) else { return };
        // SAFETY: the block is nobody's, and holds at least one pointer.
        unsafe { block.cast::<*mut u8>().write(*head) };
        *head = block;
        self.has_free |= 1 << class;
    }

    fn pop(&mut self, class: usize) -> Option<*mut u8> {
        let head = self.free.get_mut(class).filter(|head| !head.is_null())?;
        let block = *head;
        // SAFETY: a free block is one of ours of at least `GRAIN` aligned bytes;
        // `push` has written the pointer there.
        *head = unsafe { block.cast::<*mut u8>().read() };
        if head.is_null() {
            self.has_free &= !(1 << class);
        }
        Some(block)
    }

    /// A block of a longer class that came back, cut to this one: better than to come
    /// nearer to the next page. What is over is kept.
    fn cut(&mut self, class: usize) -> Option<*mut u8> {
        let longer = self.has_free.checked_shr(class as u32).filter(|bits| *bits != 0)?;
        let longer = class + longer.trailing_zeros() as usize;
        let block = self.pop(longer)?;
        let (mut place, mut rest) = (length_of(class), length_of(longer) - length_of(class));
        while rest > 0 {
            let (mut over, mut length) = class_of(rest);
            if length > rest {
                over -= 1;
                length = length_of(over);
            }
            self.push(block.wrapping_add(place), over);
            place += length;
            rest -= length;
        }
        Some(block)
    }
}

impl<const SIZE: usize> Heap<SIZE> {
    const fn new() -> Heap<SIZE> {
        Heap {
            state: UnsafeCell::new(State {
                used: 0,
                long: 0,
                allocations: 0,
                free: [null_mut(); CLASSES],
                has_free: 0,
            }),
            arena: UnsafeCell::new(Arena([0; SIZE])),
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
    /// room. One of `long` bytes or more stands apart.
    fn take(&self, size: usize, long: usize) -> (*mut u8, bool) {
        let state = self.state();
        let (class, length) = class_of(size);
        if let Some(block) = state.pop(class).or_else(|| state.cut(class)) {
            return (block, false);
        }
        if length > SIZE - state.used - state.long {
            return (null_mut(), false);
        }
        if length >= long {
            state.long += length;
            return (self.at(SIZE - state.long), true);
        }
        state.used += length;
        (self.at(state.used - length), true)
    }

    fn give_back(&self, block: *mut u8, offset: usize, size: usize) {
        let state = self.state();
        let (class, length) = class_of(size);
        if class < CLASSES {
            state.push(block, class);
        } else if SIZE - offset == state.long {
            // SAFETY: the block is ours again and `length` bytes long.
            unsafe { block.write_bytes(0, length) };
            state.long -= length;
        }
    }

    /// Makes the last block, if it is not long, longer where it stands.
    fn lengthen_last(&self, offset: usize, old: usize, new: usize) -> bool {
        let state = self.state();
        let (old, new) = (class_of(old).1, class_of(new).1);
        let is_last = old < LONG && new < LONG && offset + old == state.used;
        if !is_last || new < old || new > SIZE - state.long - offset {
            return old == new;
        }
        state.used = offset + new;
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
            ..=GRAIN => self.take(layout.size(), LONG).0,
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
            ..=GRAIN => self.take(layout.size(), LONG_ZEROS),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Allocates and frees by a fixed sequence of pseudo-random numbers; each
    /// block is filled with a byte of its own, which must still be there when it
    /// is freed.
    #[test]
    fn no_block_overlaps_another_and_zeroed_ones_are_zero() {
        let heap: Box<Heap<{ 256 << 10 }>> = Box::new(Heap::new());
        let mut random = 12345_u32;
        let mut next = || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 8) as usize
        };
        let mut blocks: Vec<(*mut u8, Layout, u8)> = Vec::new();
        for round in 0..20_000_usize {
            let kind = next() % 4;
            if kind == 0 || blocks.len() > 60 {
                if !blocks.is_empty() {
                    let (block, layout, mark) = blocks.swap_remove(next() % blocks.len());
                    check_and_free(&heap, block, layout, mark);
                }
                continue;
            }
            let size = if next() % 20 == 0 { next() % 90_000 } else { next() % 900 } + 1;
            let layout = Layout::from_size_align(size, 1 << (next() % 5)).unwrap();
            let mark = round as u8;
            let block = if kind == 1 { zeroed(&heap, layout) } else { plain(&heap, layout) };
            assert_eq!(block.align_offset(layout.align()), 0);
            fill(block, size, mark);
            blocks.push((block, layout, mark));
            if kind == 2 {
                grow(&heap, &mut blocks, next() % 2000);
            }
        }
        for (block, layout, mark) in blocks {
            check_and_free(&heap, block, layout, mark);
        }
    }

    #[test]
    fn a_block_that_came_back_is_given_out_again_and_all_are_counted() {
        let heap: Box<Heap<4096>> = Box::new(Heap::new());
        let layout = Layout::from_size_align(100, 8).unwrap();
        let first = plain(&heap, layout);
        fill(first, 100, 1);
        check_and_free(&heap, first, layout, 1);
        let second = plain(&heap, layout);
        assert_eq!(first, second);
        assert_eq!(heap.allocations(), 2);
    }

    #[test]
    fn a_longer_block_that_came_back_is_cut_before_more_is_taken() {
        let heap: Box<Heap<4096>> = Box::new(Heap::new());
        let layout = |size| Layout::from_size_align(size, 8).unwrap();
        let long = plain(&heap, layout(448));
        let last = plain(&heap, layout(16));
        fill(long, 448, 1);
        check_and_free(&heap, long, layout(448), 1);
        let pieces = [(0, 100), (112, 300), (432, 16)];
        for (place, size) in pieces {
            assert_eq!(plain(&heap, layout(size)), long.wrapping_add(place), "{size}");
        }
        assert_eq!(plain(&heap, layout(16)), last.wrapping_add(16));
    }

    #[test]
    fn a_buffer_of_zeros_does_not_stand_between_what_is_in_use() {
        let heap: Box<Heap<8192>> = Box::new(Heap::new());
        let layout = Layout::from_size_align(16, 8).unwrap();
        let first = plain(&heap, layout);
        zeroed(&heap, Layout::from_size_align(LONG_ZEROS, 8).unwrap());
        assert_eq!(plain(&heap, layout), first.wrapping_add(16));
    }

    #[test]
    fn every_class_holds_its_sizes_and_wastes_at_most_a_quarter() {
        let mut last = 0;
        for size in 1..=LONGEST_KEPT {
            let (class, length) = class_of(size);
            assert!(class < CLASSES && length >= size && length % GRAIN == 0, "{size}");
            assert!(length - size < GRAIN.max(size / 4 + 1), "{size} in {length}");
            assert!(class == last || class == last + 1, "{size}");
            assert_eq!(length_of(class), length, "{size}");
            last = class;
        }
        assert!(class_of(LONGEST_KEPT + 1).0 >= CLASSES);
    }

    fn plain<const SIZE: usize>(heap: &Heap<SIZE>, layout: Layout) -> *mut u8 {
        // SAFETY: the layout is not empty.
        unsafe { heap.alloc(layout) }
    }

    fn zeroed<const SIZE: usize>(heap: &Heap<SIZE>, layout: Layout) -> *mut u8 {
        // SAFETY: the layout is not empty.
        let block = unsafe { heap.alloc_zeroed(layout) };
        assert!(bytes(block, layout.size()).iter().all(|byte| *byte == 0));
        block
    }

    fn grow<const SIZE: usize>(
        heap: &Heap<SIZE>,
        blocks: &mut [(*mut u8, Layout, u8)],
        more: usize,
    ) {
        let Some((block, layout, mark)) = blocks.last_mut() else { return };
        let size = layout.size() + more;
        // SAFETY: the block is of this heap and layout, and the size is not zero.
        let moved = unsafe { heap.realloc(*block, *layout, size) };
        assert!(bytes(moved, layout.size()).iter().all(|byte| byte == mark));
        fill(moved, size, *mark);
        (*block, *layout) = (moved, Layout::from_size_align(size, layout.align()).unwrap());
    }

    fn check_and_free<const SIZE: usize>(
        heap: &Heap<SIZE>,
        block: *mut u8,
        layout: Layout,
        mark: u8,
    ) {
        assert!(bytes(block, layout.size()).iter().all(|byte| *byte == mark));
        // SAFETY: the block is of this heap and layout, and is not used again.
        unsafe { heap.dealloc(block, layout) };
    }

    fn fill(block: *mut u8, size: usize, mark: u8) {
        // SAFETY: the block has `size` bytes.
        unsafe { block.write_bytes(mark, size) };
    }

    fn bytes<'a>(block: *mut u8, size: usize) -> &'a [u8] {
        // SAFETY: the block has `size` initialised bytes while the slice is used.
        unsafe { std::slice::from_raw_parts(block, size) }
    }
}
