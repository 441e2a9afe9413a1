import { encodeUtf8 } from "../bytes.ts"
import { fromByteCharacters } from "./byte_level.ts"
import { readPrependScheme } from "./pre_tokenizer.ts"
import { readArray, readRecord, readString, show, unsupported } from "./problem.ts"

/** How tokens become text again. */
export interface TokenBytes {
  /** The bytes that a token of the vocabulary stands for. */
  readonly bytesOf: (content: string) => Uint8Array
  /** Whether a space at the start of a text was put there by encoding. */
  readonly dropsFirstSpace: boolean
}

const supported = ["ByteLevel", "Metaspace", "Sequence of Replace, ByteFallback, Fuse and Strip"]

const byteOf = (content: string): number | undefined => {
  const match = /^<0x([0-9A-Fa-f]{2})>$/.exec(content)
  return match === null ? undefined : Number.parseInt(match[1], 16)
}

/** What the stages of a decoder say together. */
interface Stages {
  byteLevel: boolean
  byteFallback: boolean
  dropsFirstSpace: boolean
  readonly replacements: Array<readonly [from: string, to: string]>
}

const readReplacement = (part: Readonly<Record<string, unknown>>, where: string) => {
  const pattern = readRecord(part["pattern"], `${where}.pattern`)
  const from = readString(pattern["String"], `${where}.pattern.String`)
  return [from, readString(part["content"], `${where}.content`)] as const
}

const readStage = (value: unknown, where: string, stages: Stages): void => {
  const part = readRecord(value, where)
  switch (part["type"]) {
    case "ByteLevel":
      stages.byteLevel = true
      return
    case "ByteFallback":
      stages.byteFallback = true
      return
    case "Fuse":
      return
    case "Replace":
      stages.replacements.push(readReplacement(part, where))
      return
    case "Metaspace": {
      const sign = readString(part["replacement"], `${where}.replacement`)
      stages.replacements.push([sign, " "])
      stages.dropsFirstSpace = readPrependScheme(part, where) !== "never"
      return
    }
    case "Strip": {
      const { content, start, stop } = part
      if (content !== " " || (start !== 0 && start !== 1) || stop !== 0) {
        throw unsupported("decoder", `${where} ${show(part)}`, supported)
      }
      stages.dropsFirstSpace = start === 1
      return
    }
    case "Sequence":
      for (const [i, stage] of readArray(part["decoders"], `${where}.decoders`).entries()) {
        readStage(stage, `${where}.decoders[${i}]`, stages)
      }
      return
    default:
      throw unsupported("decoder", `${where}.type ${show(part["type"])}`, supported)
  }
}

/** Reads the `decoder` of a tokenizer.json. */
export const readTokenBytes = (value: unknown): TokenBytes => {
  const stages: Stages = {
    byteLevel: false,
    byteFallback: false,
    dropsFirstSpace: false,
    replacements: [],
  }
  readStage(value, "decoder", stages)
  const { byteLevel, byteFallback, dropsFirstSpace, replacements } = stages
  const bytesOf = (content: string): Uint8Array => {
    const byte = byteFallback ? byteOf(content) : undefined
    if (byte !== undefined) return Uint8Array.of(byte)
    const text = replacements.reduce((whole, [from, to]) => whole.replaceAll(from, to), content)
    return (byteLevel ? fromByteCharacters(text) : undefined) ?? encodeUtf8(text)
  }
  return { bytesOf, dropsFirstSpace }
}
