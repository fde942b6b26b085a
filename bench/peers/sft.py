"""Times TRL's SFTTrainer on chat rows, from the start of the process, and prints one line of JSON.

    python sft.py FOLDER DATA.jsonl --as default|packing|tuned [--threads N] [--steps N]
                  (needs: torch, transformers, peft, trl, datasets, psutil)

default   SFTConfig as it comes for a processor: batch 8, bf16 autocast, gradient checkpointing, padding
packing   rows cut to fill 512 tokens ("wrapped": the default strategy makes one long row of a batch),
          batch 2, bf16 weights, no checkpointing
tuned     batch 4, rows of like length together, bf16 weights, no checkpointing

DATA has a `messages` list in each line; loss is on the answers. LoRA of rank 16 on all linears. Without
--steps each row is seen once. Real tokens are those of the rows, without padding.
"""

import argparse
import json
import resource
import statistics
import tempfile
import time

import psutil

BORN = psutil.Process().create_time()

import torch  # noqa: E402
from datasets import load_dataset  # noqa: E402
from peft import LoraConfig  # noqa: E402
from transformers import TrainerCallback  # noqa: E402
from trl import SFTConfig, SFTTrainer  # noqa: E402

LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
NARROW = dict(bf16=False, gradient_checkpointing=False, model_init_kwargs=dict(dtype="bfloat16"))
WAYS = dict(
    default=dict(),
    packing=dict(packing=True, packing_strategy="wrapped", max_length=512, per_device_train_batch_size=2, **NARROW),
    tuned=dict(per_device_train_batch_size=4, train_sampling_strategy="group_by_length", **NARROW),
)


class Times(TrainerCallback):
    ends = []

    def on_step_end(self, *_, **__):
        self.ends.append(time.time())


class Counting(SFTTrainer):
    rows = []

    def training_step(self, model, inputs, *rest, **named):
        mask = inputs.get("attention_mask")
        real = int(mask.sum()) if mask is not None else inputs["input_ids"].numel()
        self.rows.append((real, inputs["input_ids"].numel(), int((inputs["labels"] != -100).sum())))
        return super().training_step(model, inputs, *rest, **named)


def pair(row):
    *prompt, answer = row["messages"]
    return dict(prompt=prompt, completion=[answer])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("data")
    parser.add_argument("--as", dest="way", choices=WAYS, default="default")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--steps", type=int, default=0)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    rows = load_dataset("json", data_files=options.data, split="train")
    rows = rows.map(pair, remove_columns=rows.column_names)
    length = dict(max_steps=options.steps) if options.steps else dict(num_train_epochs=1)
    with tempfile.TemporaryDirectory() as folder:
        shared = dict(use_cpu=True, report_to="none", save_strategy="no", logging_steps=1, disable_tqdm=True)
        config = SFTConfig(output_dir=folder, **shared, **length, **WAYS[options.way])
        pairs = LoraConfig(r=16, lora_alpha=32, lora_dropout=0.0, target_modules=LINEARS, task_type="CAUSAL_LM")
        trainer = Counting(
            model=options.folder, args=config, train_dataset=rows, peft_config=pairs, callbacks=[Times()]
        )
        trainer.train()
    ends = Times.ends
    steps = [end - start for start, end in zip(ends, ends[1:])]
    real = sum(row[0] for row in Counting.rows)
    total = ends[-1] - BORN
    figures = dict(
        tokens_per_s=real / total,
        steady_tokens_per_s=sum(row[0] for row in Counting.rows[1:]) / max(1e-9, sum(steps)),
        median_s=statistics.median_low(steps or [total]),
        first_step_s=ends[0] - BORN,
        total_s=total,
        n_steps=len(ends),
        real_tokens=real,
        computed_tokens=sum(row[1] for row in Counting.rows),
        trained_tokens=sum(row[2] for row in Counting.rows),
        peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    )
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
