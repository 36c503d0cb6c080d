//! The end of what a program wrote, for the user of a failed start.

/// How much of it is kept.
pub(super) const LENGTH: usize = 1024;

pub(super) struct Tail {
    bytes: Box<[u8]>,
    length: usize,
}

impl Tail {
    pub(super) fn new() -> Tail {
        Tail { bytes: vec![0; LENGTH].into_boxed_slice(), length: 0 }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&[])
    }

    pub(super) fn forget(&mut self) {
        self.length = 0;
    }

    /// Room for the last `count` bytes, of which there are no more than LENGTH.
    pub(super) fn make_room(&mut self, count: usize) -> &mut [u8] {
        let count = count.min(LENGTH);
        let overflow = (self.length + count).saturating_sub(LENGTH);
        self.bytes.copy_within(overflow..self.length, 0);
        let start = self.length - overflow;
        self.length = start + count;
        &mut self.bytes[start..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_the_last_bytes_whatever_the_pieces_were() {
        let mut tail = Tail::new();
        let all: Vec<u8> = (0..5000_u32).map(|n| (n % 251) as u8).collect();
        for size in [1, 3, 700, 1024, 2000] {
            tail.forget();
            for piece in all.chunks(size) {
                let room = tail.make_room(piece.len());
                let from = piece.len() - room.len();
                room.copy_from_slice(&piece[from..]);
            }
            assert_eq!(tail.bytes(), &all[all.len() - LENGTH..], "{size}");
        }
    }
}
