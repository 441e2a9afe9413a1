import type { GgufKeptTensor, Tokenizer } from "@espalier/models"
import { Notices } from "@espalier/runtime"
import { Effect } from "effect"

/** Says what of a model a GGUF file does not hold as it is. */
export const tellGguf = Effect.fnUntraced(function* (
  kept: ReadonlyArray<GgufKeptTensor>,
  tokenizer: Tokenizer,
) {
  for (const { tensor, reason } of kept) {
    yield* Notices.report(`${tensor} is in F16: ${reason}`)
  }
  if (tokenizer.kind === "words") {
    yield* Notices.report(
      "GGUF has no place for a tokenizer of whole words: the file goes without, keep tokenizer.json beside it",
    )
  }
})
