import type { PackedSizes } from "./sizes.ts"
import { chunkInputs } from "./sizes.ts"

/** Bytes of an `f32`. */
const float = 4

/** Most rows of x whose sums stay in registers while the codes of four outputs go by. */
export const mostRows = 10

/** How the work is cut, and where inputs lie in the working memory of a thread. */
export interface PackedPlan extends PackedSizes {
  /** Chunks that are added up before their scale is applied, and how many such spans there are. */
  readonly spanChunks: number
  readonly spans: number
  /** Bytes from the scale of one span to that of the next: nothing where all are one group. */
  readonly scaleStep: number
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
  // Rows should not share their places in the cache.
  const rowBytes = (chunks * chunkInputs + 16) * float
  const sumBytes = spans * float
  return {
    ...sizes,
    spanChunks,
    spans,
    scaleStep: groups === 1 ? 0 : float,
    rowBytes,
    sums: rows * rowBytes,
    sumBytes,
    scratchBytes: rows * (rowBytes + sumBytes),
  }
}
