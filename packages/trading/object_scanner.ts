/** One member of a JSON object: its key, its value as it was written, and the line of its key. */
export interface Member {
  readonly key: string
  readonly text: string
  readonly line: number
}

/** Why a text is no JSON object, and on which line. */
export interface ScanProblem {
  readonly line: number
  readonly detail: string
}

/** Reads the members of one JSON object out of a text that comes in pieces. */
export interface ObjectScanner {
  /** Takes the next piece. After a problem it is not to be used any more. */
  readonly feed: (piece: string) => ScanProblem | undefined
  /** Says whether the text may end here. */
  readonly end: () => ScanProblem | undefined
}

/** Longer values are refused: a whole file in one value is not what streaming is for. */
const longestValue = 2 ** 26

const quote = 34
const backslash = 92
const newline = 10

const isSpace = (code: number) => code === 32 || code === newline || code === 13 || code === 9
const isOpening = (code: number) => code === 123 || code === 91
const isClosing = (code: number) => code === 125 || code === 93

/**
 * Makes a scanner. Unlike `JSON.parse` it tells of every member, also of a key that comes twice, and
 * holds one value at a time. Values are delimited, and not checked beyond that: whoever takes one parses
 * it, and may refuse it.
 */
export const makeObjectScanner = (
  onMember: (member: Member) => ScanProblem | undefined,
  firstLine = 1,
): ObjectScanner => {
  let line = firstLine
  let expects: "object" | "first key" | "key" | "colon" | "value" | "comma" | "nothing" = "object"
  /** What is being read of a key or a value, and how deep in it we are. */
  let reading: "key" | "value" | undefined
  let pieces: Array<string> = []
  let length = 0
  let depth = 0
  let inString = false
  let escaped = false
  let scalar = false
  let key = ""
  let keyLine = firstLine

  const problem = (detail: string): ScanProblem => ({ line, detail })
  const seen = (code: number) => JSON.stringify(String.fromCharCode(code))

  const begin = (what: "key" | "value", code: number) => {
    reading = what
    pieces = []
    length = 0
    inString = code === quote
    scalar = !inString && !isOpening(code)
    depth = isOpening(code) ? 1 : 0
    escaped = false
  }

  /** The position after the token that is being read, or that of the end of the piece. */
  const skipToken = (
    piece: string,
    from: number,
  ): { readonly at: number; readonly done: boolean } => {
    let at = from
    for (; at < piece.length; at++) {
      const code = piece.charCodeAt(at)
      if (code === newline) line++
      if (inString) {
        if (escaped) escaped = false
        else if (code === backslash) escaped = true
        else if (code === quote) {
          inString = false
          if (depth === 0) return { at: at + 1, done: true }
        }
      } else if (scalar) {
        if (code === 44 || isClosing(code) || isSpace(code)) {
          if (code === newline) line--
          return { at, done: true }
        }
      } else if (code === quote) inString = true
      else if (isOpening(code)) depth++
      else if (isClosing(code) && --depth === 0) return { at: at + 1, done: true }
    }
    return { at, done: false }
  }

  const finish = (): ScanProblem | undefined => {
    const text = pieces.join("")
    pieces = []
    if (reading === "value") {
      reading = undefined
      expects = "comma"
      return onMember({ key, text, line: keyLine })
    }
    reading = undefined
    expects = "colon"
    try {
      key = String(JSON.parse(text))
      return undefined
    } catch {
      return problem(`the key ${text} is no JSON string`)
    }
  }

  /** Takes a character between tokens. */
  const between = (code: number): ScanProblem | "token" | undefined => {
    switch (expects) {
      case "object":
        if (code !== 123) return problem(`expected { at the beginning, found ${seen(code)}`)
        expects = "first key"
        return undefined
      case "first key":
      case "key":
        if (code === 125 && expects === "first key") {
          expects = "nothing"
          return undefined
        }
        if (code !== quote) return problem(`expected a key in quotes, found ${seen(code)}`)
        keyLine = line
        begin("key", code)
        return "token"
      case "colon":
        if (code !== 58) return problem(`expected : after the key, found ${seen(code)}`)
        expects = "value"
        return undefined
      case "value":
        if (code === 44 || isClosing(code)) return problem(`expected a value, found ${seen(code)}`)
        begin("value", code)
        return "token"
      case "comma":
        if (code !== 44 && code !== 125) return problem(`expected , or }, found ${seen(code)}`)
        expects = code === 44 ? "key" : "nothing"
        return undefined
      case "nothing":
        return problem(`expected nothing after the last }, found ${seen(code)}`)
    }
  }

  const feed = (piece: string): ScanProblem | undefined => {
    let at = 0
    while (at < piece.length) {
      if (reading === undefined) {
        const code = piece.charCodeAt(at)
        if (isSpace(code)) {
          if (code === newline) line++
          at++
          continue
        }
        const told = between(code)
        if (typeof told === "object") return told
        if (told === undefined) {
          at++
          continue
        }
      }
      // The first character of a token has been looked at by `begin`.
      const fresh = length === 0 && !scalar ? 1 : 0
      const token = skipToken(piece, at + fresh)
      length += token.at - at
      if (length > longestValue) return problem(`a value of more than ${longestValue} characters`)
      pieces.push(piece.slice(at, token.at))
      at = token.at
      if (token.done) {
        const told = finish()
        if (told !== undefined) return told
      }
    }
    return undefined
  }

  return {
    feed,
    end: () => {
      if (reading !== undefined) return problem(`the text ends within a ${reading}`)
      if (expects === "object") return problem("expected { at the beginning, found nothing")
      return expects === "nothing" ? undefined : problem("the text ends before the last }")
    },
  }
}

/** The members of an object in one piece, or the first problem. */
export const scanObject = (
  text: string,
  firstLine = 1,
): { readonly members: ReadonlyArray<Member> } | { readonly problem: ScanProblem } => {
  const members: Array<Member> = []
  const scanner = makeObjectScanner((member) => void members.push(member), firstLine)
  const problem = scanner.feed(text) ?? scanner.end()
  return problem === undefined ? { members } : { problem }
}
