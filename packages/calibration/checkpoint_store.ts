import type {
  Checkpoint,
  CheckpointCopy,
  CheckpointFileError,
  CheckpointFormatError,
  StoredArray,
  WeightOverflow,
} from "@espalier/models"
import { Effect } from "effect"
import type { BlockStore } from "./block_store.ts"

type Stored = Readonly<Record<string, StoredArray>>

const pick = (own: Stored, names: ReadonlyArray<string> | undefined): Stored =>
  names === undefined ? own : Object.fromEntries(names.map((name) => [name, own[name]]))

/**
 * A store over the files of a checkpoint: blocks are read from its folder when they are needed, and
 * changed ones are written into a copy. What is not changed keeps its bytes, what is changed keeps its
 * dtype, and the walk goes on with the numbers as they were rounded. A walk that was killed goes on at
 * the block it was in.
 */
export const makeCheckpointStore = (
  checkpoint: Checkpoint,
  copy: CheckpointCopy,
): BlockStore<CheckpointFileError | CheckpointFormatError | WeightOverflow> => {
  const { parameters } = checkpoint.model
  return {
    done: copy.done,
    outside: (leaves) => checkpoint.read(leaves as Stored),
    rows: (leaf, rows) => checkpoint.readRows(leaf as StoredArray, rows),
    original: (block, names) =>
      checkpoint.read(pick(block.parameters(parameters) as Stored, names)),
    changed: (block, names) => copy.read(pick(block.parameters(parameters) as Stored, names)),
    keep: Effect.fnUntraced(function* (block, changes) {
      const own = block.parameters(parameters) as Stored
      for (const [name, value] of Object.entries(changes)) yield* copy.write(own[name], value)
    }),
    finish: (block) => copy.markDone(block.index + 1),
  }
}
