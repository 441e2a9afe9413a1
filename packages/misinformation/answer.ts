import { labelOf, type Label } from "./label.ts"

/** What an answer says, as the challenge's script reads it. */
export interface Answer {
  /** None where the script reads none; such an answer is wrong. */
  readonly label: Label | undefined
  /** Empty where the answer has none. */
  readonly explanation: string
}

/**
 * The answer in an `output`, which may begin with the prompt: what stands after `Assistant:` (up to
 * another `Assistant:`, since the script takes the second part of `split`), else all of it; line
 * breaks become spaces.
 */
export const answerText = (output: string): string => {
  const parts = output.split("Assistant:", 2)
  return (parts[1] ?? parts[0]).replaceAll("\n", " ").trim()
}

/**
 * Reads an `output` as the challenge's script does: without true, false or nei in it there is no
 * label; else the word after the first `Prediction: `, compared without case. What stands after the
 * first `Explanation:` is the explanation. So `Prediction: Mostly True`, `prediction: True` and
 * `The prediction is False` name no label.
 *
 * Source: the challenge's `evaluation.ipynb`. `\w` is Unicode's in Python, and its `.` stops at `\n`
 * only; both are kept here.
 *
 * @example
 * ```ts
 * import { readAnswer } from "@espalier/misinformation"
 * const { label, explanation } = readAnswer("Human: … Assistant: Prediction: false.\nExplanation: It is a hoax.")
 * console.log(label, explanation) // False It is a hoax.
 * ```
 */
export const readAnswer = (output: string): Answer => {
  const answer = answerText(output)
  const [, explanation = ""] = /Explanation:([^\n]*)/.exec(answer) ?? []
  const lower = answer.toLowerCase()
  const named = ["true", "false", "nei"].some((word) => lower.includes(word))
  const [, word = ""] = (named && /Prediction: ([\p{L}\p{N}_]+)/u.exec(answer)) || []
  return { label: labelOf(word), explanation: explanation.trim() }
}
