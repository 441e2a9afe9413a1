import { Schema } from "effect"
import { Flag } from "effect/cli"
import { executorFlags } from "./executor_flags.ts"
import { remoteFlag } from "./remote_flag.ts"

/** What a run and a plan have in common. */
export const commonFlags = {
  device: Flag.Literals("device", ["auto", "wasm", "webgpu"]).pipe(
    Flag.withDescription("auto: a hardware adapter if there is one, else wasm"),
    Flag.withDefault("auto"),
  ),
  set: Flag.String("set").pipe(
    Flag.withDescription("replace a value, e.g. steps.pruned.sparsity=0.5; may be repeated"),
    Flag.atLeast(0),
  ),
  data: Flag.String("data").pipe(
    Flag.withDescription("the folder that data: stands for (default: ESPALIER_DATA)"),
    Flag.optional,
  ),
  store: Flag.String("store").pipe(
    Flag.withDescription("where results are kept (default: .espalier/ at the workspace root)"),
    Flag.optional,
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("print exactly one JSON document on standard output"),
    Flag.withDefault(false),
  ),
}

const Count = Schema.Int.check(Schema.isGreaterThan(0))

/** What a run, a plan and a resumed run are told of the pipeline beside its file. */
export const pipelineFlags = {
  ...commonFlags,
  remote: remoteFlag,
  limit: Flag.Int("limit").pipe(
    Flag.withSchema(Count),
    Flag.withDescription("a trial: at most so many documents, windows, questions of each step"),
    Flag.optional,
  ),
  sandbox: Flag.Boolean("sandbox").pipe(
    Flag.withDescription(
      "refuse files outside of the pipeline's and the data folder, and programs",
    ),
    Flag.withDefault(false),
  ),
  allow: Flag.String("allow").pipe(
    Flag.withDescription("a further folder that --sandbox lets a pipeline read; may be repeated"),
    Flag.atLeast(0),
  ),
}

/** What only a run takes. */
export const runFlags = {
  ...pipelineFlags,
  ...executorFlags,
  only: Flag.String("only").pipe(
    Flag.withDescription("this step and what it needs, nothing else; may be repeated"),
    Flag.atLeast(0),
  ),
  from: Flag.String("from").pipe(
    Flag.withDescription("this step and all that depend on it, computed anew"),
    Flag.optional,
  ),
  keepGoing: Flag.Boolean("keep-going").pipe(
    Flag.withDescription("go on with steps that do not need a failed one (--no-keep-going: stop)"),
    Flag.withDefault(true),
  ),
  jobs: Flag.Int("jobs").pipe(
    Flag.withSchema(Count),
    Flag.withDescription("steps that may run at the same time"),
    Flag.withDefault(1),
  ),
  events: Flag.Boolean("events").pipe(
    Flag.withDescription("print what happens as lines of JSON on standard output"),
    Flag.withDefault(false),
  ),
  out: Flag.String("out").pipe(
    Flag.withDescription("a folder that receives manifest, results and files"),
    Flag.optional,
  ),
}
