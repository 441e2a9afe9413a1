import type { Block, CausalLM } from "@espalier/models"
import { Checkpoint } from "@espalier/runtime"
import { HostArray } from "@espalier/tensor"
import { Effect } from "effect"
import { loadWalk, saveWalk } from "./walk_checkpoint.ts"

/** Parameters on the host, by name. */
export type BlockParameters = Readonly<Record<string, HostArray.HostArray>>

/**
 * Where a walk takes blocks from and puts them: memory, or files that hold more than memory can.
 * A walk reads one block at a time and keeps none.
 */
export interface BlockStore<E = never, R = never> {
  /** Blocks that were finished before: the walk goes on after them. */
  readonly done: number
  /** Parameters that belong to no block, given by path as leaves of the model's own tree. */
  readonly outside: (
    leaves: Readonly<Record<string, unknown>>,
  ) => Effect.Effect<BlockParameters, E, R>
  /** Rows [count, …] of one of these, for tables of which a text needs only a part. */
  readonly rows: (
    leaf: unknown,
    rows: ReadonlyArray<number>,
  ) => Effect.Effect<HostArray.HostArray, E, R>
  /** Parameters of a block as they were at first: all, or those named. */
  readonly original: (
    block: Block,
    names?: ReadonlyArray<string>,
  ) => Effect.Effect<BlockParameters, E, R>
  /** Parameters of a finished block as they were kept: all, or those named. */
  readonly changed: (
    block: Block,
    names?: ReadonlyArray<string>,
  ) => Effect.Effect<BlockParameters, E, R>
  /** Keeps some of what changes in a block. */
  readonly keep: (block: Block, changes: BlockParameters) => Effect.Effect<void, E, R>
  /** Says that nothing more changes in a block: a walk that is interrupted goes on after it. */
  readonly finish: (block: Block) => Effect.Effect<void, E, R>
}

const pick = (own: BlockParameters, names: ReadonlyArray<string> | undefined): BlockParameters =>
  names === undefined ? own : Object.fromEntries(names.map((name) => [name, own[name]]))

const takeRows = (
  { shape: [, ...row], data }: HostArray.HostArray,
  rows: ReadonlyArray<number>,
): HostArray.HostArray => {
  const width = row.reduce((product, extent) => product * extent, 1)
  const taken = new Float32Array(rows.length * width)
  for (const [i, at] of rows.entries()) {
    taken.set(data.subarray(at * width, (at + 1) * width), i * width)
  }
  return HostArray.make([rows.length, ...row], taken)
}

/**
 * A store over the parameters of a model in memory, with the finished blocks in the checkpoint `task`
 * where there is a place for checkpoints. `result` is the model as it is by now.
 */
export const makeMemoryStore = Effect.fnUntraced(function* (model: CausalLM, task: string) {
  const resumed = yield* loadWalk(task, model.parameters)
  let { parameters } = resumed
  const store: BlockStore = {
    done: resumed.done,
    outside: (leaves) => Effect.succeed(leaves as BlockParameters),
    rows: (leaf, rows) => Effect.sync(() => takeRows(leaf as HostArray.HostArray, rows)),
    original: (block, names) =>
      Effect.sync(() => pick(block.parameters(model.parameters) as BlockParameters, names)),
    changed: (block, names) =>
      Effect.sync(() => pick(block.parameters(parameters) as BlockParameters, names)),
    keep: (block, changes) =>
      Effect.sync(() => {
        parameters = block.replace(parameters, { ...block.parameters(parameters), ...changes })
      }),
    finish: (block) => Effect.suspend(() => saveWalk(task, { done: block.index + 1, parameters })),
  }
  return {
    store,
    result: () => model.withParameters(parameters),
    finish: Checkpoint.clear(task),
  }
})
