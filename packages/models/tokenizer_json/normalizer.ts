import { readPattern } from "./pattern.ts"
import { readArray, readRecord, readString, show, unsupported } from "./problem.ts"

/** Changes a text before it is cut into pieces. */
export type Normalizer = (text: string) => string

const supported = ["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Prepend", "Replace", "Sequence"]

/** Reads the `normalizer` of a tokenizer.json; null is none. */
export const readNormalizer = (value: unknown, where = "normalizer"): Normalizer => {
  if (value === null || value === undefined) return (text) => text
  const part = readRecord(value, where)
  const { type } = part
  switch (type) {
    case "NFC":
    case "NFD":
    case "NFKC":
    case "NFKD":
      return (text) => text.normalize(type)
    case "Lowercase":
      return (text) => text.toLowerCase()
    case "Prepend": {
      const prefix = readString(part["prepend"], `${where}.prepend`)
      return (text) => (text === "" ? "" : prefix + text)
    }
    case "Replace": {
      const pattern = readPattern(part["pattern"], `${where}.pattern`)
      const content = readString(part["content"], `${where}.content`)
      return (text) => text.replace(pattern, () => content)
    }
    case "Sequence": {
      const stages = readArray(part["normalizers"], `${where}.normalizers`).map((stage, i) =>
        readNormalizer(stage, `${where}.normalizers[${i}]`),
      )
      return (text) => stages.reduce((result, stage) => stage(result), text)
    }
    default:
      throw unsupported("normalizer", `${where}.type ${show(type)}`, supported)
  }
}
