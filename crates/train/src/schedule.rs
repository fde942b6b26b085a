//! The learning rate of every step.

use crate::settings::{Settings, Shape};

/// What is left of the highest rate at the end of a cosine.
const COSINE_FLOOR: f64 = 0.1;

/// The rate of step `step`, counted from 0: a rise from zero, then the shape asked for.
pub fn learning_rate(settings: &Settings, step: u64) -> f64 {
    let n_steps = settings.steps.max(1) as f64;
    let n_warm = (settings.warmup * n_steps).ceil();
    let at = step as f64;
    if at < n_warm {
        return settings.learning_rate * (at + 1.0) / n_warm;
    }
    let progress = ((at - n_warm) / (n_steps - n_warm).max(1.0)).min(1.0);
    let share = match settings.schedule {
        Shape::Constant => 1.0,
        Shape::Linear => 1.0 - progress,
        Shape::Cosine => {
            COSINE_FLOOR + (1.0 - COSINE_FLOOR) * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
        }
    };
    settings.learning_rate * share
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(schedule: Shape) -> Vec<f64> {
        let settings =
            Settings { schedule, steps: 100, warmup: 0.1, learning_rate: 1.0, ..Settings::default() };
        (0..100).map(|step| learning_rate(&settings, step)).collect()
    }

    #[test]
    fn rises_then_falls_as_asked() {
        for shape in [Shape::Cosine, Shape::Linear, Shape::Constant] {
            let rates = rates(shape);
            assert!((rates[0] - 0.1).abs() < 1e-12 && (rates[9] - 1.0).abs() < 1e-12, "{shape:?} warm-up");
            assert!(rates[..10].is_sorted() && rates[10..].is_sorted_by(|a, b| a >= b), "{shape:?} order");
        }
        assert!(
            (rates(Shape::Cosine)[55] - 0.55).abs() < 1e-12,
            "the middle of a cosine is half way down to its floor"
        );
        assert!(rates(Shape::Linear)[99] < 0.02);
        assert!(rates(Shape::Constant)[99] > 0.999);
    }

    #[test]
    fn no_warm_up_starts_at_the_top() {
        let settings = Settings { warmup: 0.0, learning_rate: 3.0, ..Settings::default() };
        assert!((learning_rate(&settings, 0) - 3.0).abs() < 1e-12);
    }
}
