/**
 * A key that occurs twice in one object of a JSON text, or `undefined`. `JSON.parse` keeps the last of
 * them without a word. The text must be valid JSON.
 */
export const findRepeatedKey = (json: string): string | undefined => {
  // The keys of each object or array around the current place.
  const open: Array<Set<string>> = []
  for (let i = 0; i < json.length; i++) {
    const character = json[i]
    if (character === "{" || character === "[") open.push(new Set())
    else if (character === "}" || character === "]") open.pop()
    else if (character === '"') {
      const start = i
      for (i++; json[i] !== '"'; i++) if (json[i] === "\\") i++
      let after = i + 1
      while (" \t\r\n".includes(json[after] ?? ".")) after++
      if (json[after] !== ":") continue
      const key: string = JSON.parse(json.slice(start, i + 1))
      const keys = open.at(-1)!
      if (keys.has(key)) return key
      keys.add(key)
    }
  }
  return undefined
}
