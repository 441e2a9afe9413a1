import type { CheckpointFiles } from "@espalier/runtime"
import { Option, Schema } from "effect"
import { LossScale } from "./loss_scale.ts"
import { decodeTree, encodeTree } from "./tree_file.ts"

/** An evaluation of a run. */
const Evaluation = Schema.Struct({ step: Schema.Int, value: Schema.Finite })

/** What is told of a run so far. `step` is also the place in the data: a batch follows from its step. */
const TrainRecord = Schema.Struct({
  /** What the run is, in the words of whoever started it. */
  job: Schema.String,
  step: Schema.Int,
  losses: Schema.Array(Schema.Finite),
  norms: Schema.Array(Schema.Finite),
  evaluations: Schema.Array(Evaluation),
  best: Schema.optionalKey(Evaluation),
  skipped: Schema.Array(Schema.Int),
  lossScale: LossScale,
})
export type TrainRecord = typeof TrainRecord.Type

/** A training run between two steps: parameters and the optimiser's arrays, and the best parameters. */
export interface TrainState<S, P> {
  readonly record: TrainRecord
  readonly tree: S
  readonly best?: P
}

const Header = Schema.fromJsonString(TrainRecord)

/** One file of JSON and one or two of arrays. */
export const encodeState = ({
  record,
  tree,
  best,
}: TrainState<unknown, unknown>): CheckpointFiles => ({
  "state.json": new TextEncoder().encode(Schema.encodeSync(Header)(record)),
  "arrays.bin": encodeTree(tree),
  ...(best === undefined ? {} : { "best.bin": encodeTree(best) }),
})

/** The state in the structure of `like`, or none where the files belong to something else. */
export const decodeState = <P, S extends { readonly parameters: P }>(
  files: CheckpointFiles,
  like: S,
): Option.Option<TrainState<S, P>> =>
  Option.gen(function* () {
    const head = yield* Option.fromUndefinedOr(files["state.json"])
    const body = yield* Option.fromUndefinedOr(files["arrays.bin"])
    const record = yield* Schema.decodeUnknownOption(Header)(new TextDecoder().decode(head))
    const tree = yield* decodeTree(body, like)
    if (record.best === undefined) return { record, tree }
    const kept = yield* Option.fromUndefinedOr(files["best.bin"])
    return { record, tree, best: yield* decodeTree(kept, like.parameters) }
  })
