import { readRecord, readString, show, TokenizerProblem, unsupported } from "./problem.ts"

const syntax = /[\^$\\.*+?()[\]{}|/]/gu

/** A text as a pattern that matches only itself. */
export const escapePattern = (text: string): string => text.replace(syntax, "\\$&")

/** Escapes that mean something else in JavaScript. */
const escapes = new Map([
  ["s", "\\p{White_Space}"],
  ["S", "\\P{White_Space}"],
  ["d", "\\p{Nd}"],
  ["D", "\\P{Nd}"],
])

/** The letters that a letter equals where case does not count; long s and the Kelvin sign fold too. */
const foldings = (letter: string): string => {
  const lower = letter.toLowerCase()
  const more = new Map([
    ["s", "\u017f"],
    ["k", "\u212a"],
  ])
  return `${lower}${letter.toUpperCase()}${more.get(lower) ?? ""}`
}

/**
 * A pattern of the Oniguruma library, as tokenizer files hold it, in JavaScript's Unicode syntax.
 * Everything that the two read differently is translated or refused.
 */
export const translatePattern = (pattern: string): string => {
  const refuse = (what: string) =>
    new TokenizerProblem(
      "a regular expression with letters, classes, groups, alternatives and repetitions",
      `${what} in ${show(pattern)}`,
      "Tokenizers with this pattern cannot be read.",
    )
  let out = ""
  let inClass = false
  // One entry for each open group: whether letter case counts in it.
  const groups: Array<boolean> = [true]
  for (let i = 0; i < pattern.length; i++) {
    const character = pattern[i]
    if (character === "\\") {
      const code = pattern.codePointAt(++i)
      if (code === undefined) throw refuse("a last \\")
      const next = String.fromCodePoint(code)
      i += next.length - 1
      if (/[A-Za-z]/.test(next) && !/[sSdDpPnrtfvxu]/.test(next)) throw refuse(`\\${next}`)
      if (/[0-9]/.test(next)) throw refuse(`\\${next}`)
      const plain = /[A-Za-z$\\.*+?()[\]{}|/^]/.test(next) || (inClass && next === "-")
      out += escapes.get(next) ?? (plain ? `\\${next}` : next)
    } else if (inClass) {
      if (character === "[" || pattern.startsWith("&&", i)) throw refuse("a class of classes")
      if (!groups[groups.length - 1] && /[A-Za-z]/.test(character)) {
        throw refuse("a class where letter case does not count")
      }
      if (character === "]") inClass = false
      out += character
    } else if (pattern.startsWith("(?i:", i)) {
      groups.push(false)
      out += "(?:"
      i += 3
    } else if (character === "(") {
      groups.push(groups[groups.length - 1])
      out += character
    } else if (character === ")") {
      groups.pop()
      out += character
    } else if (character === "." || character === "^" || character === "$") {
      throw refuse(`a bare ${character}`)
    } else if (!groups[groups.length - 1] && /[A-Za-z]/.test(character)) {
      out += `[${foldings(character)}]`
    } else {
      if (/^\[\^?\]/.test(pattern.slice(i, i + 3))) throw refuse("a class that begins with ]")
      if (character === "[") inClass = true
      out += character
    }
  }
  try {
    // Compiled only to learn whether it can be.
    void new RegExp(out, "u")
  } catch (error) {
    throw refuse(error instanceof Error ? error.message.replace(/^.*: /, "") : "a syntax error")
  }
  return out
}

/** A `{"String": …}` or `{"Regex": …}` of a tokenizer file as a global pattern. */
export const readPattern = (value: unknown, where: string): RegExp => {
  const record = readRecord(value, where)
  if ("String" in record) {
    return new RegExp(escapePattern(readString(record["String"], `${where}.String`)), "gu")
  }
  if ("Regex" in record) {
    return new RegExp(translatePattern(readString(record["Regex"], `${where}.Regex`)), "gu")
  }
  throw unsupported(where, show(value), ["String", "Regex"])
}
