import type { CheckpointFiles } from "@espalier/runtime"
import { Option, Schema } from "effect"
import { decodeTree, encodeTree } from "./tree_file.ts"

/** A training run between two steps. */
export interface TrainState<S> {
  readonly step: number
  readonly losses: ReadonlyArray<number>
  readonly norms: ReadonlyArray<number>
  readonly tree: S
}

const Header = Schema.fromJsonString(
  Schema.Struct({
    step: Schema.Int,
    losses: Schema.Array(Schema.Finite),
    norms: Schema.Array(Schema.Finite),
  }),
)

/** One file of JSON and one of arrays. */
export const encodeState = ({ tree, ...rest }: TrainState<unknown>): CheckpointFiles => ({
  "state.json": new TextEncoder().encode(Schema.encodeSync(Header)(rest)),
  "arrays.bin": encodeTree(tree),
})

/** The state in the structure of `like`, or none where the files belong to something else. */
export const decodeState = <S>(files: CheckpointFiles, like: S): Option.Option<TrainState<S>> => {
  const [head, body] = [files["state.json"], files["arrays.bin"]]
  if (head === undefined || body === undefined) return Option.none()
  const header = Schema.decodeUnknownOption(Header)(new TextDecoder().decode(head))
  if (Option.isNone(header)) return Option.none()
  return Option.map(decodeTree(body, like), (tree) => ({ ...header.value, tree }))
}
