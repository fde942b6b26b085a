//! Base against voice on the held-out text: losses, replies, report.

use std::collections::BTreeMap;

use penname_corpus::Prepared;
use penname_engine::Device;
use penname_eval::Transcript;
use penname_eval::metric::bits::DocumentLoss;
use penname_eval::metric::copying::Source;
use penname_eval::report::{Evidence, Report, Settings as ReportSettings, measure};
use penname_eval::transcript::{Finish as Ended, Reply};
use penname_infer::{Finish, Model};
use penname_ledger::event::{Silent, Unit};
use penname_ledger::{Event, Run, Witness, write};
use penname_model::Packed;
use penname_token::pack::pack_in_order;
use penname_token::{Example, Message, Renderer, Sequence};

use super::drawing::Drawing;
use super::sequences;
use super::speaker::{How, Speaker};
use super::voice::Voice;
use crate::desk::Desk;
use crate::failure::Failure;
use crate::settings::Settings;

/// Rows scored at one time.
const SCORE_ROWS: usize = 1024;
/// Conversations answered at one time, if the cache has room for them.
const SLOTS: usize = 64;

/// Measures a voice and writes the report into the run it was trained by.
///
/// # Errors
/// When the device fails, or the file system refuses.
pub(crate) fn report(
    desk: &Desk,
    (run, voice): (&Run, &mut Voice),
    prepared: &Prepared,
    settings: &Settings,
) -> Result<Report, Failure> {
    let rows = SCORE_ROWS.min(voice.context());
    let renderer = sequences::cutting(&voice.renderer, rows)?;
    let held_out: Vec<Sequence> =
        prepared.held_out.iter().flat_map(|e| renderer.render_turns(e)).filter_map(Result::ok).collect();
    let questions = questions(&prepared.held_out, settings.evaluate.questions);
    let (base, base_losses) = look(desk, voice, Side::Base, &held_out, &questions, settings)?;
    let (tuned, tuned_losses) = look(desk, voice, Side::Tuned, &held_out, &questions, settings)?;
    let taught: Vec<(&str, String)> =
        prepared.train.iter().map(|e| (e.document.as_str(), voice_of(e))).collect();
    let training: Vec<Source<'_>> = taught.iter().map(|(document, text)| Source { document, text }).collect();
    let evidence = Evidence {
        base: &base,
        tuned: &tuned,
        base_losses: &base_losses,
        tuned_losses: &tuned_losses,
        training: &training,
    };
    let report = measure(&evidence, &ReportSettings::default())?;
    save(run, &report, [("base", &base), ("tuned", &tuned)])?;
    Ok(report)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Base,
    Tuned,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Tuned => "tuned",
        }
    }

    fn model(self, voice: &Voice) -> Model<'_> {
        match self {
            Self::Base => voice.base(),
            Self::Tuned => voice.tuned(),
        }
    }
}

/// What one side writes, and how well it foresees the held-out text.
fn look(
    desk: &Desk,
    voice: &mut Voice,
    side: Side,
    held_out: &[Sequence],
    questions: &[Question<'_>],
    settings: &Settings,
) -> Result<(Transcript, Vec<DocumentLoss>), Failure> {
    // The device is taken out while the models borrow the voice.
    let mut device = std::mem::take(&mut voice.device);
    let losses = document_losses(&side.model(voice), &voice.renderer, held_out, &mut device);
    let replies = replies(desk, voice, side, questions, settings, &mut device);
    voice.device = device;
    Ok((Transcript { model: side.name().to_owned(), replies: replies? }, losses?))
}

/// Sum of losses over the answers of each document.
fn document_losses(
    model: &Model<'_>,
    renderer: &Renderer,
    sequences: &[Sequence],
    device: &mut dyn Device,
) -> Result<Vec<DocumentLoss>, Failure> {
    let mut scorer = model.scorer(SCORE_ROWS, device)?;
    let mut documents: BTreeMap<&str, DocumentLoss> = BTreeMap::new();
    for pack in pack_in_order(sequences, SCORE_ROWS)? {
        let packed = Packed {
            tokens: &pack.tokens,
            positions: &pack.positions,
            starts: &pack.starts,
            shared: pack.shared,
            targets: &pack.targets,
        };
        let rows = scorer.losses(device, packed)?;
        for (range, &source) in pack.documents.iter().zip(&pack.sources) {
            let sequence = &sequences[source];
            let empty =
                DocumentLoss { document: sequence.document.clone(), nats: 0.0, n_tokens: 0, n_bytes: 0 };
            let document = documents.entry(&sequence.document).or_insert(empty);
            document.nats += rows[range.clone()].iter().map(|loss| f64::from(*loss)).sum::<f64>();
            document.n_tokens += sequence.n_trained as u64;
            document.n_bytes += answer_bytes(sequence, renderer);
        }
    }
    scorer.release(device);
    Ok(documents.into_values().collect())
}

/// Bytes of text that the scored tokens spell; control tokens spell none.
fn answer_bytes(sequence: &Sequence, renderer: &Renderer) -> u64 {
    let tokenizer = renderer.tokenizer();
    let scored = sequence.ids.iter().zip(&sequence.mask).filter(|(_, trained)| **trained);
    let bytes =
        scored.filter(|(id, _)| !tokenizer.is_control(**id)).filter_map(|(id, _)| tokenizer.token_bytes(*id));
    bytes.map(|bytes| bytes.len() as u64).sum()
}

/// A held-out question and what the author answered.
struct Question<'a> {
    example: &'a Example,
    messages: Vec<Message>,
    author: &'a str,
}

/// Up to `n` questions, spread evenly over the held-out examples.
fn questions(held_out: &[Example], n: usize) -> Vec<Question<'_>> {
    let answered =
        held_out.iter().map(|example| (example.messages.iter().position(Message::is_trained), example));
    let all: Vec<(usize, &Example)> = answered.filter_map(|(at, example)| Some((at?, example))).collect();
    let n = n.min(all.len());
    let spread = (0..n).map(|i| all[i * all.len() / n.max(1)]);
    spread
        .map(|(at, example)| Question {
            example,
            messages: example.messages[..at].to_vec(),
            author: &example.messages[at].content,
        })
        .collect()
}

fn replies(
    desk: &Desk,
    voice: &Voice,
    side: Side,
    questions: &[Question<'_>],
    settings: &Settings,
    device: &mut dyn Device,
) -> Result<Vec<Reply>, Failure> {
    let (model, renderer) = (&side.model(voice), &voice.renderer);
    let longest =
        questions.iter().map(|q| renderer.prompt(&q.messages).map_or(0, |ids| ids.len())).max().unwrap_or(0);
    // Both sides are drawn alike; it is said once.
    let witness: &dyn Witness = if side == Side::Tuned { desk.witness() } else { &Silent };
    let drawing = Drawing::decide(&settings.write, renderer, voice.contract.thinking, witness);
    let mut speaker = Speaker::new(model, SLOTS, longest + drawing.max_tokens, device)?;
    let how = How {
        sampler: drawing.sampler(settings.seed.0),
        max_tokens: drawing.max_tokens,
        end_ids: &voice.contract.stop_ids,
        stops: &[],
        cancelled: Some(desk.stop()),
    };
    let conversations: Vec<Vec<Message>> = questions.iter().map(|q| q.messages.clone()).collect();
    let (mut done, total) = (0, conversations.len() as u64);
    let what = format!("answers of the {} model", side.name());
    let answers = speaker.answer_all(device, renderer, &conversations, &how, || {
        done += 1;
        desk.witness().see(&Event::progress(&what, done, total, Unit::Items));
    })?;
    if desk.stop().load(std::sync::atomic::Ordering::Relaxed) {
        return Err(Failure::new(
            crate::failure::Kind::Interrupted,
            "stopped before the answers were complete",
        ));
    }
    let drawn = format!(
        "temperature {}, top-k {}, top-p {}, min-p {}, repetition penalty {}",
        how.sampler.temperature,
        how.sampler.top_k,
        how.sampler.top_p,
        how.sampler.min_p,
        how.sampler.repeat_penalty
    );
    let reply = |(question, answer): (&Question<'_>, super::speaker::Answer)| Reply {
        id: question.example.id.clone(),
        document: question.example.document.clone(),
        prompt: question.messages.last().map_or(String::new(), |message| message.content.clone()),
        text: answer.text,
        author: Some(question.author.to_owned()),
        finish: match answer.finish {
            Finish::End { .. } => Ended::End,
            Finish::Stop => Ended::Stop,
            Finish::Length | Finish::Cancelled => Ended::Length,
        },
        n_tokens: answer.n_tokens as u64,
        seed: how.sampler.seed,
        sampler: drawn.clone(),
    };
    Ok(questions.iter().zip(answers).map(reply).collect())
}

/// The author's words in an example.
fn voice_of(example: &Example) -> String {
    example.learned().join("\n\n")
}

fn save(run: &Run, report: &Report, transcripts: [(&str, &Transcript); 2]) -> Result<(), Failure> {
    let folder = run.report();
    write::folder(&folder)?;
    for (name, transcript) in transcripts.iter().filter(|(_, transcript)| !transcript.replies.is_empty()) {
        write::bytes(&folder.join(format!("{name}.jsonl")), transcript.to_jsonl()?.as_bytes())?;
    }
    write::bytes(&folder.join("report.md"), report.to_markdown().as_bytes())?;
    // Last: where this file is, the report is whole.
    Ok(write::bytes(&folder.join("report.json"), report.to_json()?.as_bytes())?)
}
