import type { PackedSizes } from "./packed_linear_sizes.ts"
import { chunkInputs } from "./packed_linear_sizes.ts"

/** Bytes of an `f32`. */
const float = 4

/** Rows of x whose sums stay in registers while the codes of four outputs go by. */
export const rowsTogether = 10

/** With more rows than that: chunks, a multiple of those of any span, whose inputs, of these rows, stay in the first-level cache. */
const chunksTogether = 16

/** How the work is cut, and where inputs lie in the working memory of a thread. */
export interface PackedPlan extends PackedSizes {
  /** Chunks that are added up before their scale is applied, and how many such spans there are. */
  readonly spanChunks: number
  readonly spans: number
  /** Bytes from the scale of one span to that of the next: nothing where all are one group. */
  readonly scaleStep: number
  /** Spans that are done together. */
  readonly depth: number
  /** Bytes from one row of prepared inputs to the next. */
  readonly rowBytes: number
  /** Where the sums of the spans of inputs begin, and the bytes that those of a row take. */
  readonly sums: number
  readonly sumBytes: number
  readonly scratchBytes: number
}

/** Chunks of a span where a group is a whole row and can be cut anywhere: as many as a group of 128 has. */
const longestSpan = (chunks: number): number => (chunks % 4 === 0 ? 4 : chunks % 2 === 0 ? 2 : 1)

export const planPacked = (sizes: PackedSizes): PackedPlan => {
  const { chunks, groups, rows } = sizes
  // Long sums of x·code and of x would lose in their difference what short ones keep.
  const spanChunks = groups > 1 ? chunks / groups : longestSpan(chunks)
  const spans = chunks / spanChunks
  const depth = rows > rowsTogether ? chunksTogether / spanChunks : spans
  // Rows should not share their places in the cache.
  const rowBytes = (depth * spanChunks * chunkInputs + 16) * float
  const kept = Math.min(rows, rowsTogether)
  const sumBytes = depth * float
  return {
    ...sizes,
    spanChunks,
    spans,
    scaleStep: groups === 1 ? 0 : float,
    depth,
    rowBytes,
    sums: kept * rowBytes,
    sumBytes,
    scratchBytes: kept * (rowBytes + sumBytes),
  }
}
