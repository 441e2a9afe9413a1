import { optimizerNames, scheduleNames } from "@espalier/models"
import { Schema } from "effect"
import { Argument, type Command, Flag } from "effect/cli"
import { commonFlags } from "./common_flags.ts"

const Positive = Schema.Int.check(Schema.isGreaterThan(0))
const count = (name: string, description: string) =>
  Flag.Int(name).pipe(Flag.withDescription(description), Flag.withSchema(Positive))
const text = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional)
const size = (name: string, description: string) =>
  count(name, `${description}; not with --model`).pipe(Flag.optional)

/** What `espalier train` takes. */
export const trainFlags = {
  file: Argument.String("FILE").pipe(
    Argument.withDescription(
      "a .jsonl, .json or text file to learn from; data:… is in the data folder",
    ),
  ),
  out: Flag.String("out").pipe(
    Flag.withDescription("the folder to write, in the Hugging Face layout"),
  ),
  model: text("model", "a checkpoint to go on with (default: a new model)"),
  tokenizer: text(
    "tokenizer",
    "the tokenizer's file (default: that in the folder of --model, else the words of FILE)",
  ),
  field: text("field", "the key of the text, where items of a file are objects"),
  split: text("split", 'what parts the documents of a text file, e.g. "<|endoftext|>"'),
  dimension: size("dimension", "width of the hidden states (default 64)"),
  hiddenDimension: size("hidden-dimension", "width of the feed-forward network (default 176)"),
  layers: size("layers", "decoder blocks (default 4)"),
  heads: size("heads", "attention heads (default 4)"),
  keyValueHeads: size("key-value-heads", "heads of keys and values (default: as many as heads)"),
  contextLength: size("context", "tokens that the model can see (default: the window)"),
  vocabulary: size("vocabulary", "most words of a new vocabulary (default 8192)"),
  steps: count("steps", "optimiser steps (default 1000)").pipe(Flag.withDefault(1000)),
  batch: count("batch", "windows per step (default 16)").pipe(Flag.withDefault(16)),
  window: count(
    "window",
    "tokens per window (default 128, or the context of --model where that is less)",
  ).pipe(Flag.optional),
  learningRate: Flag.Finite("learning-rate").pipe(
    Flag.withDescription("peak after the warm-up (default 0.002, for lion 0.0002)"),
    Flag.withSchema(Schema.Finite.check(Schema.isGreaterThan(0))),
    Flag.optional,
  ),
  optimizer: Flag.Literals("optimizer", optimizerNames).pipe(
    Flag.withDescription("the update rule (default adamw)"),
    Flag.withDefault("adamw"),
  ),
  schedule: Flag.Literals("schedule", scheduleNames).pipe(
    Flag.withDescription("what the learning rate does after its warm-up (default cosine)"),
    Flag.withDefault("cosine"),
  ),
  accumulate: count("accumulate", "parts that a batch is cut into, to save memory").pipe(
    Flag.withDefault(1),
  ),
  average: Flag.Finite("average").pipe(
    Flag.withDescription("decay of a moving average of the weights, which then is the model"),
    Flag.optional,
  ),
  adapter: Flag.Literals("adapter", ["none", "lora", "dora"]).pipe(
    Flag.withDescription(
      "train all weights (none, default), or adapters that are merged in the end",
    ),
    Flag.withDefault("none"),
  ),
  rank: count("rank", "of the adapters (default 8)").pipe(Flag.withDefault(8)),
  precision: Flag.Literals("precision", ["f32", "f16"]).pipe(
    Flag.withDescription(
      "f16 rounds the linears of the blocks, on a GPU with shader-f16 (default f32)",
    ),
    Flag.withDefault("f32"),
  ),
  evaluation: text("eval", "a file to measure on; the model that is best there is kept"),
  evaluateEvery: count("eval-every", "steps between two measurements (default: a tenth)").pipe(
    Flag.optional,
  ),
  evaluateWindows: count("eval-windows", "most windows to measure on (default 64)").pipe(
    Flag.withDefault(64),
  ),
  patience: count("patience", "measurements without a better one after which training ends").pipe(
    Flag.optional,
  ),
  seed: Flag.Int("seed").pipe(
    Flag.withDescription("of the first weights and the order of the windows (default 0)"),
    Flag.withDefault(0),
  ),
  checkpointSeconds: Flag.Finite("checkpoint-seconds").pipe(
    Flag.withDescription("between two checkpoints (default 20)"),
    Flag.withSchema(Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))),
    Flag.withDefault(20),
  ),
  data: commonFlags.data,
  device: commonFlags.device,
  json: commonFlags.json,
}

/** The values of these flags. */
export type TrainFlags = Command.Command.Config.Infer<typeof trainFlags>
