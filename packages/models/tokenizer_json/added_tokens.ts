import { escapePattern } from "./pattern.ts"
import type { Normalizer } from "./normalizer.ts"
import { readArray, readFlag, readRecord, readString, readToken } from "./problem.ts"

/** A token that is found in the text as it stands, before anything is merged. */
export interface AddedToken {
  readonly token: number
  readonly content: string
  readonly special: boolean
  /** Found in the normalised text instead of the text as given. */
  readonly normalized: boolean
  /** Found only where no letter or digit touches it. */
  readonly singleWord: boolean
  /** Takes the white space before it along. */
  readonly stripLeft: boolean
  /** Takes the white space after it along. */
  readonly stripRight: boolean
}

/** Reads the `added_tokens` of a tokenizer.json. */
export const readAddedTokens = (value: unknown): ReadonlyArray<AddedToken> => {
  if (value === undefined || value === null) return []
  return readArray(value, "added_tokens").map((item, i) => {
    const where = `added_tokens[${i}]`
    const part = readRecord(item, where)
    const flag = (name: string, absent = false) => readFlag(part[name], `${where}.${name}`, absent)
    const special = flag("special")
    return {
      token: readToken(part["id"], `${where}.id`),
      content: readString(part["content"], `${where}.content`),
      special,
      normalized: flag("normalized", !special),
      singleWord: flag("single_word"),
      stripLeft: flag("lstrip"),
      stripRight: flag("rstrip"),
    }
  })
}

/** A part of a text: an added token, or text without one. */
export type Section = { readonly token: number } | { readonly text: string }

/** Finds added tokens in a text: the leftmost, and of those the longest. */
export type AddedTokenFinder = (text: string) => ReadonlyArray<Section>

const wordCharacter = String.raw`[\p{L}\p{M}\p{N}\p{Pc}]`

/** A finder of tokens by what `contentOf` makes of their contents. */
export const makeAddedTokenFinder = (
  tokens: ReadonlyArray<AddedToken>,
  contentOf: Normalizer,
): AddedTokenFinder => {
  const byContent = new Map(
    tokens.map((token) => [contentOf(token.content), token] as const).filter(([key]) => key !== ""),
  )
  if (byContent.size === 0) return (text) => (text === "" ? [] : [{ text }])
  const alternatives = [...byContent]
    .sort(([a], [b]) => b.length - a.length)
    .map(([content, { singleWord }]) => {
      const pattern = escapePattern(content)
      return singleWord ? `(?<!${wordCharacter})${pattern}(?!${wordCharacter})` : pattern
    })
  const pattern = new RegExp(alternatives.join("|"), "gu")
  return (text) => {
    const sections: Array<Section> = []
    let end = 0
    const push = (upTo: number, stripsEnd: boolean) => {
      const between = text.slice(end, Math.max(end, upTo))
      const kept = stripsEnd ? between.replace(/\p{White_Space}+$/u, "") : between
      if (kept !== "") sections.push({ text: kept })
    }
    for (const { 0: match, index } of text.matchAll(pattern)) {
      const found = byContent.get(match)
      // A token may begin in white space that the one before it took along.
      if (found === undefined || index < end) continue
      push(index, found.stripLeft)
      sections.push({ token: found.token })
      end = index + match.length
      if (found.stripRight) end += /^\p{White_Space}*/u.exec(text.slice(end))?.[0].length ?? 0
    }
    push(text.length, false)
    return sections
  }
}
