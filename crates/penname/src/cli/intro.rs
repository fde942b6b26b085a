//! What `penname` alone says.

/// The first commands, for somebody who has just found the program.
pub(crate) fn intro() -> &'static str {
    "\
penname turns a body of writing into a language model that writes in that voice.

First:
  penname demo                  watch a small model take on a voice, in a few minutes
  penname new my-voice          begin a voice in a folder of its own
  cd my-voice                   put your writing into the folder `writing`
  penname make                  prepare, train and measure
  penname chat                  talk to it

At any time:
  penname settings --origin     every setting, its value and where that comes from
  penname doctor                what this machine has and lacks
  penname --help                all commands
"
}
