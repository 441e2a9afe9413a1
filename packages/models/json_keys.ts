/**
 * A key that occurs twice in the top object of a JSON text, or `undefined`. `JSON.parse` keeps the last
 * of them without a word. The text must be valid JSON.
 */
export const findRepeatedKey = (json: string): string | undefined => {
  const seen = new Set<string>()
  let depth = 0
  for (let i = 0; i < json.length; i++) {
    const character = json[i]
    if (character === "{" || character === "[") depth++
    else if (character === "}" || character === "]") depth--
    else if (character === '"') {
      const start = i
      for (i++; json[i] !== '"'; i++) if (json[i] === "\\") i++
      let after = i + 1
      while (" \t\r\n".includes(json[after] ?? ".")) after++
      if (depth !== 1 || json[after] !== ":") continue
      const key: string = JSON.parse(json.slice(start, i + 1))
      if (seen.has(key)) return key
      seen.add(key)
    }
  }
  return undefined
}
