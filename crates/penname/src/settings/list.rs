//! Every setting there is. Validation, `penname settings`, its help and the reference page are all
//! made from this list, and a test holds it to the types it fills.

mod ask;
mod examples;
mod validate;

pub(crate) use super::key::Key;
use super::key::Kind;
pub(crate) use super::name::{find, is_section, suggest, unknown};

const COUNT: Kind = Kind::Count(1, 1_000_000_000);
const SHARE: Kind = Kind::Real(0.0, 1.0);
const SIZE: Kind = Kind::Auto(&Kind::Count(1, 1_000_000));

const fn key(name: &'static str, kind: Kind, default: &'static str, about: &'static str) -> Key {
    Key { name, kind, default, about }
}

/// All of them, in the order in which they are shown.
pub(crate) const ALL: &[Key] =
    &joined::<{ FIRST.len() + validate::KEYS.len() + examples::KEYS.len() + ask::KEYS.len() + REST.len() }>();

/// The parts of the list in one.
const fn joined<const N: usize>() -> [Key; N] {
    let mut all = [FIRST[0]; N];
    let mut n = 0;
    let parts = [FIRST, validate::KEYS, examples::KEYS, ask::KEYS, REST];
    let mut part = 0;
    while part < parts.len() {
        let mut at = 0;
        while at < parts[part].len() {
            all[n] = parts[part][at];
            (n, at) = (n + 1, at + 1);
        }
        part += 1;
    }
    all
}

/// Those before [`validate`].
const FIRST: &[Key] = &[
    key("recipe", Kind::Maybe(&Kind::Text), "null", "starting values for a sort of writing"),
    key(
        "base",
        Kind::Text,
        "smollm2-135m-instruct",
        "the model to start from: a short name, a folder, a .gguf or llama2.c file, a voice trained in full, owner/name \
         on the hub, or scratch for a new one",
    ),
    key(
        "template",
        Kind::Maybe(&Kind::Text),
        "null",
        "how turns are written: a built-in name or a .jinja file; nothing is the base model's own",
    ),
    key(
        "seed",
        Kind::Count(0, u64::MAX),
        "0",
        "where all chance begins: the same seed gives the same result",
    ),
    key("effort", Kind::Word(&["quick", "normal", "thorough"]), "normal", "the dial: how much time to spend"),
    key("voice.name", Kind::Maybe(&Kind::Text), "null", "whose voice it is; nothing is the folder's name"),
    key(
        "voice.persona",
        Kind::Maybe(&Kind::Text),
        "null",
        "a system prompt put before every example and every chat",
    ),
    key(
        "voice.thinking",
        Kind::Flag,
        "false",
        "whether a template that knows thoughts leaves room for them before an answer",
    ),
    key(
        "tokenizer.file",
        Kind::Maybe(&Kind::Text),
        "null",
        "a tokenizer.json, .model or llama2.c .bin: of a base that comes without, or of a new model",
    ),
    key(
        "tokenizer.kind",
        Kind::Word(&["pieces", "bytes"]),
        "pieces",
        "what a new model's tokenizer learns: pieces as SentencePiece has them, or bytes as GPT-2 has them",
    ),
    key("tokenizer.size", Kind::Count(323, 1_000_000), "4096", "tokens of a new model's vocabulary"),
    key(
        "model.depth",
        Kind::Count(1, 512),
        "6",
        "the dial of a new model: its layers; sizes, rate and batch follow from it",
    ),
    key("model.width", SIZE, "auto", "width of a new model; auto is 48 for each layer"),
    key("model.heads", SIZE, "auto", "its heads; auto makes them about 48 wide"),
    key("model.kv_heads", SIZE, "auto", "its key and value heads; auto is as many as heads"),
    key(
        "model.feed_forward",
        SIZE,
        "auto",
        "width inside its feed-forward part; auto is eight thirds of the width",
    ),
    key("model.context", SIZE, "auto", "its longest sequence; auto is about 64 for each layer"),
    key("model.tied", Kind::Flag, "true", "whether its head is its embedding"),
    key(
        "corpus.format",
        Kind::Map,
        "{}",
        "formats forced by the end of a path or by a folder: {\".txt\": plain, \"chats/\": wapo-chat}",
    ),
    key(
        "corpus.voice",
        Kind::List,
        "[]",
        "names by which the voice goes in conversations: a name, an account, an address; * is everybody",
    ),
    key("corpus.transcripts", Kind::Entries, "[]", "profiles of transcripts to try before the built-in ones"),
    key(
        "corpus.tweets",
        Kind::Word(&["all", "popular-replies"]),
        "all",
        "which tweets and replies are used: all, or those of a named set of rules",
    ),
    key(
        "corpus.conversation.gap_minutes",
        Kind::Count(1, 1_000_000),
        "360",
        "minutes of silence that end a conversation",
    ),
    key(
        "corpus.conversation.words",
        COUNT,
        "400",
        "words from which a conversation is divided after a turn of the voice",
    ),
    key(
        "corpus.conversation.before",
        Kind::Count(1, 1_000_000),
        "12",
        "messages of others kept before a turn of the voice",
    ),
    key(
        "corpus.rights",
        Kind::Entries,
        "[]",
        "what may be done with parts of the writing: {place: letters/, basis: own, train: yes, publish: no}",
    ),
    key(
        "corpus.sources",
        Kind::Entries,
        "[]",
        "sources reached over the network: {id: talk, kind: reddit, subreddit: penpals}; none named means none is asked",
    ),
    key(
        "corpus.network.contact",
        Kind::Maybe(&Kind::Text),
        "null",
        "a mail address or page that hosts are told, by which you can be reached",
    ),
    key(
        "corpus.network.max_wait_minutes",
        Kind::Count(0, 10_080),
        "15",
        "minutes that a host may make one wait before its source is left for another time",
    ),
    key(
        "corpus.network.tries",
        Kind::Count(1, 100),
        "6",
        "how often a host is asked in a row without an answer",
    ),
    key("corpus.profiles", Kind::Entries, "[]", "profiles of numbered books to try before the built-in ones"),
    key("corpus.max_file_bytes", COUNT, "67108864", "largest file read, in bytes"),
    key(
        "corpus.limit",
        Kind::Maybe(&COUNT),
        "null",
        "documents taken of each kind of source; nothing takes all",
    ),
    key("corpus.max_bad_share", SHARE, "0.2", "share of files that may be lost before the work stops"),
    key("corpus.drafts", Kind::Flag, "false", "whether posts marked as drafts are used"),
    key(
        "corpus.quotations",
        Kind::Flag,
        "false",
        "whether quotations set apart in posts are used: they are other people's words",
    ),
    key("corpus.clean.enable", Kind::List, "[]", "cleaners switched on by name"),
    key("corpus.clean.disable", Kind::List, "[]", "cleaners switched off by name"),
    key(
        "corpus.clean.profile",
        Kind::Map,
        "{}",
        "profiles of cleaners by the end of a path or a folder: {\"tweets.js\": tweets}; \"\" is every file",
    ),
];

/// Those after [`examples`].
const REST: &[Key] = &[
    key(
        "train.method",
        Kind::Word(&["lora", "full"]),
        "lora",
        "what is trained: low-rank pairs beside the weights, or the weights",
    ),
    key(
        "train.learn",
        Kind::Auto(&Kind::Word(&["answers", "text"])),
        "auto",
        "what is learned: answers, or all of the text; auto is the text where the model is new",
    ),
    key(
        "train.shards",
        Kind::List,
        "[]",
        "llama2.c shards of ids that are learned beside the text, each file named",
    ),
    key("train.rank", Kind::Count(1, 4096), "16", "rank of the low-rank pairs"),
    key("train.alpha", Kind::Real(1e-6, 1e6), "32", "numerator of their scale"),
    key("train.dropout", Kind::Real(0.0, 0.95), "0", "share of their inputs dropped"),
    key("train.rslora", Kind::Flag, "false", "scale by the root of the rank instead of the rank"),
    key(
        "train.dora",
        Kind::Flag,
        "false",
        "train how long the rows of a weight are beside where they point (DoRA)",
    ),
    key(
        "train.lora_plus",
        Kind::Real(1e-3, 1e3),
        "1",
        "how many times as fast as A the half B of a pair learns",
    ),
    key(
        "train.targets",
        Kind::List,
        "[]",
        "linears (and `experts`) that get a pair, or with `full` patterns of what is trained; none named means all",
    ),
    key(
        "train.optimizer",
        Kind::Word(&["adamw", "adamw_8bit"]),
        "adamw",
        "what turns gradients into weights: AdamW, or AdamW with its moments in a byte each",
    ),
    key("train.learning_rate", Kind::Real(1e-9, 1.0), "2e-4", "highest learning rate"),
    key("train.epochs", Kind::Real(0.01, 1000.0), "3", "times each example is seen; the effort dial sets it"),
    key("train.steps", Kind::Maybe(&COUNT), "null", "optimizer steps, instead of epochs"),
    key("train.batch_examples", Kind::Count(1, 1_000_000), "8", "examples in one optimizer step"),
    key(
        "train.batch_tokens",
        Kind::Count(2, 4_000_000),
        "1024",
        "tokens computed at once: memory, and the longest example",
    ),
    key("train.warmup", SHARE, "0.05", "share of the steps over which the learning rate rises"),
    key(
        "train.schedule",
        Kind::Word(&["cosine", "linear", "constant"]),
        "cosine",
        "how the learning rate falls afterwards",
    ),
    key("train.weight_decay", SHARE, "0", "decoupled weight decay"),
    key(
        "train.no_decay",
        Kind::List,
        "[norms, biases, magnitudes]",
        "what is not decayed: norms, biases, magnitudes, embeddings, or patterns of parameter names",
    ),
    key(
        "train.neftune",
        Kind::Real(0.0, 1e3),
        "0",
        "noise on embeddings while training, usually 5 to 15; zero is none",
    ),
    key(
        "train.ema",
        Kind::Real(0.0, 0.999_999),
        "0",
        "decay of the running average of the weights that is measured and kept; zero keeps the weights themselves",
    ),
    key("train.clip", Kind::Real(0.0, 1e6), "1", "norm to which the gradient is clipped; zero never clips"),
    key("train.beta1", Kind::Real(0.0, 0.99999), "0.9", "decay of the mean gradient"),
    key("train.beta2", Kind::Real(0.0, 0.999_999), "0.999", "decay of the mean squared gradient"),
    key(
        "train.precision",
        Kind::Auto(&Kind::Word(&["bf16", "f32"])),
        "auto",
        "what products round their inputs to; auto is bf16 where the processor is faster with it",
    ),
    key(
        "train.base_weights",
        Kind::Auto(&Kind::Word(&["stored", "rounded", "nf4", "q8_0", "q4_0", "int8"])),
        "auto",
        "how frozen weights are kept in memory: as stored, rounded, or quantized on loading; int8 multiplies bytes and is \
         used while training lasts; auto is as stored, and rounded where the weights themselves are trained",
    ),
    key(
        "train.base_place",
        Kind::Word(&["memory", "disk"]),
        "memory",
        "where frozen weights lie while they are used: in memory, or on disk, from where they are read block by block",
    ),
    key(
        "train.evaluate_every",
        Kind::Auto(&COUNT),
        "auto",
        "steps between evaluations; auto makes at least ten a run",
    ),
    key(
        "train.patience",
        Kind::Count(0, 1_000_000),
        "4",
        "evaluations without improvement after which training stops; zero never stops",
    ),
    key(
        "train.checkpoint_every",
        Kind::Auto(&COUNT),
        "auto",
        "steps between checkpoints; auto makes at least four a run",
    ),
    key(
        "write.temperature",
        Kind::Auto(&Kind::Real(0.0, 10.0)),
        "auto",
        "how freely the next token is chosen; zero takes the likeliest, auto is what the template's family is used with",
    ),
    key(
        "write.top_k",
        Kind::Auto(&Kind::Count(0, 10_000_000)),
        "auto",
        "choose among this many likeliest tokens; zero is all",
    ),
    key(
        "write.top_p",
        Kind::Auto(&Kind::Real(0.0, 1.0)),
        "auto",
        "choose among the likeliest tokens that hold this share",
    ),
    key("write.min_p", SHARE, "0", "leave out tokens less likely than this share of the likeliest"),
    key(
        "write.repetition_penalty",
        Kind::Real(0.1, 10.0),
        "1.1",
        "how much less likely a token becomes once it was used; 1 is no change",
    ),
    key("write.max_tokens", Kind::Count(1, 10_000_000), "300", "longest reply, in tokens"),
    key(
        "evaluate.questions",
        Kind::Count(1, 1_000_000),
        "24",
        "held-out prompts that are answered; the effort dial sets it",
    ),
];
