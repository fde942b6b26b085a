//! Many numbers as one short line.

/// A row of eighths, the highest standing for the greatest number; what is there at all is seen.
pub(crate) fn spark(numbers: &[usize]) -> String {
    const EIGHTHS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = numbers.iter().max().copied().unwrap_or_default();
    let eighth = |number: &usize| match (number, most) {
        (0, _) | (_, 0) => ' ',
        (number, most) => EIGHTHS[(number * 8).div_ceil(most).clamp(1, 8) - 1],
    };
    numbers.iter().map(eighth).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_is_full_and_nothing_is_blank() {
        let check = |numbers: &[usize], expected: &str| assert_eq!(spark(numbers), expected);
        check(&[0, 1, 4, 8, 800], " ▁▁▁█");
        check(&[1, 2, 3, 4, 5, 6, 7, 8], "▁▂▃▄▅▆▇█");
        check(&[3], "█");
        check(&[0, 0], "  ");
        check(&[], "");
    }
}
