import { Result } from "effect"
import type { Activation } from "../learned_position_decoder.ts"
import type { Json } from "./supported_fields.ts"
import { DifferentField } from "./supported_fields.ts"

const activations: ReadonlyMap<unknown, Activation> = new Map<unknown, Activation>([
  ["relu", "relu"],
  ["gelu", "gelu"],
  ["gelu_new", "gelu_tanh"],
  ["gelu_pytorch_tanh", "gelu_tanh"],
])

/** transformers' names. */
export const activationNames: Readonly<Record<Activation, string>> = {
  relu: "relu",
  gelu: "gelu",
  gelu_tanh: "gelu_new",
}

/** The activation that a field of `config.json` names. */
export const decodeActivation = (
  json: Json,
  field: string,
  otherwise: string,
): Result.Result<Activation, DifferentField> => {
  const found = json[field] ?? otherwise
  const activation = activations.get(found)
  if (activation !== undefined) return Result.succeed(activation)
  const expected = [...activations.keys()].map((name) => JSON.stringify(name)).join(" or ")
  return Result.fail(new DifferentField({ field, expected, found: JSON.stringify(found) }))
}
