/** The end of the JSON value that starts at an opening bracket, or -1 where it does not close. */
const endOfValue = (text: string, start: number): number => {
  let depth = 0
  let inString = false
  for (let index = start; index < text.length; index++) {
    const character = text[index]
    if (inString) {
      if (character === "\\") index++
      else if (character === '"') inString = false
    } else if (character === '"') inString = true
    else if (character === "{" || character === "[") depth++
    else if (character === "}" || character === "]") {
      depth--
      if (depth === 0) return index + 1
    }
  }
  return -1
}

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/**
 * The JSON in a model's answer: the answer itself if it is JSON, else the first object or array in it
 * that is, as models put it between words or in a fenced block. The answer unchanged where there is none.
 *
 * @example
 * ```ts
 * import { extractJson } from "@espalier/llm"
 *
 * console.log(extractJson('Sure!\n```json\n{"label": "True"}\n```')) // {"label": "True"}
 * ```
 */
export const extractJson = (answer: string): string => {
  if (isJson(answer)) return answer
  for (const { index } of answer.matchAll(/[{[]/g)) {
    const end = endOfValue(answer, index)
    const part = answer.slice(index, end)
    if (end > 0 && isJson(part)) return part
  }
  return answer
}
