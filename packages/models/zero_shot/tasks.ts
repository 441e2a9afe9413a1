import type { Result } from "effect"
import type { LineKind, ZeroShotFormatError, ZeroShotItem } from "./items.ts"
import { readItems } from "./items.ts"

/** A benchmark: how its file is called and how its questions are put. */
export interface ZeroShotTask {
  /** As lm-evaluation-harness calls it. */
  readonly name: string
  /** The file's name without an ending, as mosaicml/llm-foundry calls it. */
  readonly file: string
  readonly kind: LineKind
  /** The context of a query. */
  readonly prompt: (query: string) => string
}

const answer = (query: string): string => `${query.trimEnd()}\nAnswer:`
const asItIs = (query: string): string => query

/**
 * The benchmarks that the pruning papers report: ARC easy and challenge (Clark et al. 2018), PIQA (Bisk
 * et al. 2020), WinoGrande (Sakaguchi et al. 2020), OpenBookQA (Mihaylov et al. 2018) and LAMBADA
 * (Paperno et al. 2016). Contexts are those of the tasks of the same names in lm-evaluation-harness.
 *
 * @example
 * ```ts
 * import { zeroShotTasks } from "@espalier/models"
 *
 * console.log(zeroShotTasks.map(({ name }) => name).join(", "))
 * // arc_easy, arc_challenge, piqa, winogrande, openbookqa, lambada_openai
 * ```
 */
export const zeroShotTasks: ReadonlyArray<ZeroShotTask> = [
  { name: "arc_easy", file: "arc_easy", kind: "choices", prompt: answer },
  { name: "arc_challenge", file: "arc_challenge", kind: "choices", prompt: answer },
  { name: "piqa", file: "piqa", kind: "choices", prompt: answer },
  { name: "winogrande", file: "winogrande", kind: "contexts", prompt: asItIs },
  { name: "openbookqa", file: "openbook_qa", kind: "choices", prompt: asItIs },
  { name: "lambada_openai", file: "lambada_openai", kind: "last word", prompt: asItIs },
]

/**
 * Reads the questions of a task from its JSON lines: `{"query", "choices", "gold"}`, of WinoGrande
 * `{"context_options", "continuation", "gold"}`, of LAMBADA `{"context", "continuation"}`.
 *
 * Fails with {@link ZeroShotFormatError}, which names the line.
 *
 * @example
 * ```ts
 * import { Result } from "effect"
 * import { readZeroShotItems, zeroShotTasks } from "@espalier/models"
 *
 * const line = '{"query":"Question: Snow is","choices":["white","hot"],"gold":0}'
 * const items = readZeroShotItems(zeroShotTasks[0], "arc_easy.jsonl", line)
 * console.log(Result.getOrThrow(items)[0].requests[1])
 * // { context: "Question: Snow is\nAnswer:", continuation: " hot" }
 * ```
 */
export const readZeroShotItems = (
  task: ZeroShotTask,
  path: string,
  text: string,
): Result.Result<ReadonlyArray<ZeroShotItem>, ZeroShotFormatError> =>
  readItems(path, text, task.kind, task.prompt)
