import type { Prompt } from "effect/ai"
import { Base64 } from "effect/encoding"

/** A file of a prompt as servers take it: at a URL, or in Base64. */
export type FileContent =
  | { readonly _tag: "Url"; readonly url: string }
  | { readonly _tag: "Base64"; readonly data: string }

const scheme = /^https?:/i
const dataUrl = /^data:[^,]*;base64,/i

/** Where the bytes of a file are. A text is Base64, a data URL or a URL. */
export const fileContent = ({ data }: Prompt.FilePart): FileContent => {
  if (data instanceof Uint8Array) return { _tag: "Base64", data: Base64.encode(data) }
  const text = String(data)
  if (scheme.test(text)) return { _tag: "Url", url: text }
  return { _tag: "Base64", data: text.replace(dataUrl, "") }
}
