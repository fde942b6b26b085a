//! The letters that come with the program.

/// File names and texts.
pub(super) const ALL: [(&str, &str); 16] = [
    ("week-01.txt", include_str!("../../../../../examples/letters/week-01.txt")),
    ("week-02.txt", include_str!("../../../../../examples/letters/week-02.txt")),
    ("week-03.txt", include_str!("../../../../../examples/letters/week-03.txt")),
    ("week-04.txt", include_str!("../../../../../examples/letters/week-04.txt")),
    ("week-05.txt", include_str!("../../../../../examples/letters/week-05.txt")),
    ("week-06.txt", include_str!("../../../../../examples/letters/week-06.txt")),
    ("week-07.txt", include_str!("../../../../../examples/letters/week-07.txt")),
    ("week-08.txt", include_str!("../../../../../examples/letters/week-08.txt")),
    ("week-09.txt", include_str!("../../../../../examples/letters/week-09.txt")),
    ("week-10.txt", include_str!("../../../../../examples/letters/week-10.txt")),
    ("week-11.txt", include_str!("../../../../../examples/letters/week-11.txt")),
    ("week-12.txt", include_str!("../../../../../examples/letters/week-12.txt")),
    ("week-13.txt", include_str!("../../../../../examples/letters/week-13.txt")),
    ("week-14.txt", include_str!("../../../../../examples/letters/week-14.txt")),
    ("week-15.txt", include_str!("../../../../../examples/letters/week-15.txt")),
    ("week-16.txt", include_str!("../../../../../examples/letters/week-16.txt")),
];
