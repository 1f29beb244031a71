//! Counts what a parser allocates.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

/// No parser asks for more at once, whatever the bytes.
pub const MOST_AT_ONCE: usize = 1024 * 1024;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

fn count(size: usize) {
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(size)));
}

#[expect(
    unsafe_code,
    reason = "an allocator cannot be written without; this crate is part of no program"
)]
// SAFETY: everything is the system allocator's; counting neither allocates nor unwinds
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promises are passed on
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as above
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: as above
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Does something, and the largest single allocation of this thread meanwhile.
pub fn largest<T>(work: impl FnOnce() -> T) -> (T, usize) {
    LARGEST.set(0);
    let result = work();
    (result, LARGEST.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_allocation_is_seen() {
        let (_, size) = largest(|| (vec![0u8; 100], vec![0u64; 1000], String::from("x")));
        assert_eq!(size, 8000);
        let (mut list, size) = largest(|| vec![1u8; 10]);
        assert_eq!(size, 10);
        let ((), size) = largest(|| list.resize(5000, 0));
        assert_eq!(size, 5000);
    }
}
