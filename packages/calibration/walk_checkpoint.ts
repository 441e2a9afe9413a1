import { decodeTree, encodeTree } from "@espalier/nn"
import { Checkpoint } from "@espalier/runtime"
import { Effect, Option, Schema } from "effect"

/** A walk between two blocks: how many are finished, and all parameters as they are by now. */
interface Walk {
  readonly done: number
  readonly parameters: unknown
}

const Header = Schema.fromJsonString(Schema.Struct({ done: Schema.Int }))

/** Keeps an unfinished walk. */
export const saveWalk = (task: string, { done, parameters }: Walk) =>
  Checkpoint.save(task, {
    "walk.json": new TextEncoder().encode(Schema.encodeSync(Header)({ done })),
    "parameters.bin": encodeTree(parameters),
  })

/** The walk that was kept; a fresh one where there is none or where it belongs to another model. */
export const loadWalk = (task: string, parameters: unknown): Effect.Effect<Walk> =>
  Effect.map(Checkpoint.load(task), (saved) =>
    Option.gen(function* () {
      const files = yield* saved
      const head = yield* Option.fromNullishOr(files["walk.json"])
      const tree = yield* Option.fromNullishOr(files["parameters.bin"])
      const { done } = yield* Schema.decodeUnknownOption(Header)(new TextDecoder().decode(head))
      return { done, parameters: yield* decodeTree(tree, parameters) }
    }).pipe(Option.getOrElse((): Walk => ({ done: 0, parameters }))),
  )
