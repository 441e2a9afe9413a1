import { Tree } from "@espalier/tensor"
import { Result } from "effect"
import { CheckpointFormatError } from "../checkpoint_format_error.ts"
import { storedShape } from "./arrangement.ts"
import type { Layout, PlacedParameter } from "./layout.ts"

/** What is known of a tensor before its numbers are read. */
interface Listed {
  readonly shape: ReadonlyArray<number>
}

const brackets = (shape: ReadonlyArray<number>) => `[${shape.join(", ")}]`

/** The full name of a parameter where names have this before them. */
export const fullName = ({ name, bare }: PlacedParameter, prefix: string): string =>
  bare ? name : prefix + name

/** The prefix that these tensors have; transformers' own where none fits. */
const prefixOf = (layout: Layout, tensors: ReadonlyMap<string, unknown>): string => {
  const placed = Tree.leaves<PlacedParameter>(layout.parameters).filter(({ bare }) => !bare)
  const fits = layout.prefixes.find((prefix) => tensors.has(fullName(placed[0], prefix)))
  return fits ?? layout.prefixes[0]
}

/**
 * Finds the tensor of each parameter of a layout by name, with or without the usual prefix, and checks
 * that its shape is the one that the configuration asks for and that no tensor is left over. Gives
 * names by parameter paths. `path` is only used in messages.
 */
export const findTensors = (
  layout: Layout,
  tensors: ReadonlyMap<string, Listed>,
  path: string,
): Result.Result<ReadonlyMap<string, string>, CheckpointFormatError> => {
  const fail = (expected: string, found: string, hint: string) =>
    Result.fail(new CheckpointFormatError({ path, expected, found, hint }))
  const prefix = prefixOf(layout, tensors)
  const names = new Map<string, string>()
  const placed = Tree.leaves<PlacedParameter>(layout.parameters)
  for (const [i, [parameter]] of Tree.entries(layout.parameters).entries()) {
    const { shape, arrangement } = placed[i]
    const name = fullName(placed[i], prefix)
    const expected = storedShape(arrangement, shape)
    const found = tensors.get(name)
    if (found?.shape.join() !== expected.join()) {
      return fail(
        `${name} ${brackets(expected)}`,
        found === undefined ? "no such tensor" : brackets(found.shape),
        name === "lm_head.weight" && found === undefined
          ? "Set tie_word_embeddings in config.json if the embeddings serve as the head."
          : "Do config.json and the weights belong together, and is no part of the weights missing?",
      )
    }
    names.set(parameter, name)
  }
  const known = new Set(names.values())
  for (const name of tensors.keys()) {
    if (!known.has(name) && !layout.ignored.test(name)) {
      return fail(
        `the ${known.size} tensors that config.json speaks of`,
        `${name} besides`,
        "Do config.json and the weights belong together? Other biases and adapters are not supported.",
      )
    }
  }
  return Result.succeed(names)
}
