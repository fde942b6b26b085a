use penname_token::{IGNORE, Pack, Sequence, pack_in_order, pack_tightly};
use proptest::prelude::*;

fn sequence(first_id: u32, mask: &[bool]) -> Sequence {
    let mut mask = mask.to_vec();
    if let Some(first) = mask.first_mut() {
        *first = false;
    }
    Sequence {
        example: format!("e{first_id}"),
        ids: (first_id..).take(mask.len()).collect(),
        n_trained: mask.iter().filter(|&&trained| trained).count(),
        mask,
        ..Sequence::default()
    }
}

fn sequences() -> impl Strategy<Value = Vec<Sequence>> {
    prop::collection::vec(prop::collection::vec(any::<bool>(), 0..12), 0..20).prop_map(|masks| {
        // Ids are unique over all sequences, so that a stray target is caught.
        masks.iter().enumerate().map(|(i, mask)| sequence(100 * i as u32, mask)).collect()
    })
}

/// Sequences that begin alike, as far as the budget and their own masks allow it to be shared.
fn alike() -> impl Strategy<Value = Vec<Sequence>> {
    (0_usize..14, sequences(), prop::collection::vec(0_usize..60, 20)).prop_map(|(n_same, own, trained)| {
        let begin = |(sequence, trained): (&Sequence, &usize)| {
            let ids: Vec<u32> = (9000..).take(n_same).chain(sequence.ids.iter().copied()).collect();
            let mut mask: Vec<bool> = vec![false; n_same];
            mask.extend(&sequence.mask);
            // Now and then a token among them is learned.
            mask.get_mut(*trained).into_iter().for_each(|mask| *mask = *trained > 0);
            let n_trained = mask.iter().filter(|trained| **trained).count();
            Sequence { ids, mask, n_trained, ..sequence.clone() }
        };
        own.iter().zip(&trained).map(begin).collect()
    })
}

#[test]
fn rows_targets_and_borders() {
    let given = [sequence(10, &[false, false, true]), sequence(20, &[false, true, true])];
    let packs = pack_in_order(&given, 8).unwrap();
    let expected = Pack {
        tokens: vec![10, 11, 12, 20, 21, 22],
        positions: vec![0, 1, 2, 0, 1, 2],
        starts: vec![0, 0, 0, 3, 3, 3],
        shared: 0,
        targets: vec![IGNORE, 12, IGNORE, 21, 22, IGNORE],
        documents: vec![0..3, 3..6],
        sources: vec![0, 1],
        n_trained: 3,
    };
    assert_eq!(packs, [expected]);
}

#[test]
fn what_all_begin_with_is_laid_down_once() {
    let begun = |own: &[u32]| {
        let ids: Vec<u32> = (50..58).chain(own.iter().copied()).collect();
        let mask: Vec<bool> = (0..ids.len()).map(|at| at > 9).collect();
        Sequence { n_trained: ids.len() - 10, ids, mask, ..Sequence::default() }
    };
    let packs = pack_in_order(&[begun(&[1, 2, 3]), begun(&[4, 5, 6, 7])], 15).unwrap();
    let x = IGNORE;
    let expected = Pack {
        tokens: vec![50, 51, 52, 53, 54, 55, 56, 57, 1, 2, 3, 4, 5, 6, 7],
        positions: vec![0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 8, 9, 10, 11],
        starts: vec![0, 0, 0, 0, 0, 0, 0, 0, 8, 8, 8, 11, 11, 11, 11],
        shared: 8,
        targets: vec![x, x, x, x, x, x, x, x, x, 3, x, x, 6, 7, x],
        documents: vec![8..11, 11..15],
        sources: vec![0, 1],
        n_trained: 3,
    };
    assert_eq!(packs, [expected]);
    assert_eq!(packs[0].n_tokens(), 23);
    // One token less in common is too few to share, and then they do not fit together.
    let one = |first: u32| Sequence { ids: vec![first; 8], mask: vec![false; 8], ..Sequence::default() };
    let packs = pack_in_order(&[one(1), one(1)], 15).unwrap();
    assert_eq!(packs.iter().map(|pack| (pack.len(), pack.shared)).collect::<Vec<_>>(), [(8, 0), (8, 0)]);
}

#[test]
fn a_sequence_over_the_budget_is_an_error() {
    let given = [sequence(10, &[false; 9])];
    for result in [pack_in_order(&given, 8), pack_tightly(&given, &[0], 4, 8)] {
        let message = result.unwrap_err().to_string();
        expect_test::expect!["sequence `e10` has 9 tokens, more than the budget of 8"].assert_eq(&message);
    }
}

#[test]
fn longest_first_leaves_few_rows_empty() {
    let given: Vec<Sequence> = [5, 5, 3, 3].map(|n| sequence(0, &vec![true; n])).to_vec();
    let n_rows = |packs: Vec<Pack>| packs.iter().map(Pack::len).collect::<Vec<_>>();
    assert_eq!(n_rows(pack_tightly(&given, &[0, 1, 2, 3], 4, 8).unwrap()), [8, 8]);
    assert_eq!(n_rows(pack_in_order(&given, 8).unwrap()), [5, 8, 3]);
    // A window of one keeps every sequence to itself.
    assert_eq!(n_rows(pack_tightly(&given, &[0, 1, 2, 3], 1, 8).unwrap()), [5, 5, 3, 3]);
}

fn assert_lawful(packs: &[Pack], given: &[Sequence], budget: usize) -> Result<(), TestCaseError> {
    let mut seen = vec![0; given.len()];
    for pack in packs {
        prop_assert!(pack.len() <= budget && !pack.is_empty());
        prop_assert_eq!(pack.n_trained, pack.targets.iter().filter(|&&t| t != IGNORE).count());
        let n_own = pack.documents.iter().map(|rows| rows.len()).sum::<usize>();
        prop_assert_eq!(pack.shared + n_own, pack.len());
        prop_assert!(pack.shared == 0 || pack.documents.len() > 1);
        prop_assert!(pack.targets[..pack.shared].iter().all(|target| *target == IGNORE));
        prop_assert_eq!(&pack.starts[..pack.shared], vec![0; pack.shared]);
        for (rows, &source) in pack.documents.iter().zip(&pack.sources) {
            let sequence = &given[source];
            seen[source] += 1;
            let tokens = [&pack.tokens[..pack.shared], &pack.tokens[rows.clone()]].concat();
            prop_assert_eq!(&tokens, &sequence.ids);
            let shared = 0..pack.shared;
            for (position, row) in shared.clone().chain(rows.clone()).enumerate() {
                prop_assert_eq!(pack.positions[row] as usize, position);
                prop_assert!(shared.contains(&row) || pack.starts[row] as usize == rows.start);
                let is_trained = sequence.mask.get(position + 1) == Some(&true);
                let expected = if is_trained { sequence.ids[position + 1] } else { IGNORE };
                prop_assert_eq!(pack.targets[row], expected);
            }
        }
    }
    for (count, sequence) in seen.iter().zip(given) {
        prop_assert_eq!(*count, usize::from(!sequence.is_empty()));
    }
    let total: usize = given.iter().map(|sequence| sequence.n_trained).sum();
    prop_assert_eq!(packs.iter().map(|pack| pack.n_trained).sum::<usize>(), total);
    Ok(())
}

proptest! {
    #[test]
    fn every_token_once_and_every_target_its_own(
        (given, order) in prop_oneof![sequences(), alike()].prop_flat_map(|given| {
            let order: Vec<usize> = (0..given.len()).collect();
            (Just(given), Just(order).prop_shuffle())
        }),
        budget in 26_usize..60,
        window in 0_usize..8,
    ) {
        let tight = pack_tightly(&given, &order, window, budget).unwrap();
        assert_lawful(&tight, &given, budget)?;
        prop_assert_eq!(&tight, &pack_tightly(&given, &order, window, budget).unwrap());
        let in_order = pack_in_order(&given, budget).unwrap();
        assert_lawful(&in_order, &given, budget)?;
        let sources: Vec<usize> = in_order.iter().flat_map(|pack| pack.sources.clone()).collect();
        prop_assert!(sources.is_sorted());
    }
}
