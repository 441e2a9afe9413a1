import type { Case, Scale } from "../case.ts"
import { decodeCases } from "./decode.ts"
import { elementwiseChainCases } from "./elementwise_chain.ts"
import { hostDispatchCases } from "./host_dispatch.ts"
import { languageModelCases } from "./language_model.ts"
import { longAttentionCases } from "./long_attention.ts"
import { matmulCases } from "./matmul.ts"
import { mlpCases } from "./mlp.ts"
import { quantizedCases } from "./quantized.ts"
import { rowCases } from "./rows.ts"
import { sparseGptCases } from "./sparsegpt.ts"
import { twoOfFourCases } from "./two_of_four.ts"

/** Every case in the order of the table. */
export const allCases = (scale: Scale): ReadonlyArray<Case> => {
  const quick = scale === "quick"
  return [
    ...matmulCases(quick),
    ...rowCases(quick),
    ...elementwiseChainCases(quick),
    ...mlpCases(quick),
    ...languageModelCases(quick),
    ...longAttentionCases(quick),
    ...decodeCases(quick),
    ...sparseGptCases(quick),
    ...twoOfFourCases(quick),
    ...quantizedCases(quick),
    ...hostDispatchCases(),
  ]
}

export const findCase = (name: string, scale: Scale): Case => {
  const found = allCases(scale).find((each) => each.name === name)
  if (found === undefined) throw new Error(`there is no case ${name}`)
  return found
}
