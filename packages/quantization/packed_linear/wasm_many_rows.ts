import type { WasmCode, WasmStageKit } from "@espalier/tensor"
import { WasmParts } from "@espalier/tensor"
import type { PackedSizes } from "./sizes.ts"
import { chunkInputs, tileOutputs } from "./sizes.ts"
import type { Constants } from "./wasm_parts.ts"
import {
  advance,
  codesOfHalf,
  gather,
  loadZeros,
  makeConstants,
  operand,
  storeLanes,
} from "./wasm_parts.ts"

const { clear, constant, float, keep, load, place, smaller, store, vector } = WasmParts

/** Outputs of a panel: two tiles, which are two vectors of a register tile. */
const panelOutputs = 2 * tileOutputs
const panelStep = panelOutputs * float

/** Chunks of inputs that are decoded into a panel at once: 8 KiB, which stay in the first-level cache. */
const panelChunks = 8
const panelBytes = panelChunks * chunkInputs * panelStep

/** Panels that are multiplied by a row tile one after the other, while its inputs are in the cache. */
const panelsTogether = 4

/** Rows that a panel is decoded for: so many that decoding does not count; a multiple of row tiles. */
const blockRows = 96

/** How rows are cut into register tiles. */
interface ManyRows extends PackedSizes {
  /** Rows of a register tile, as of the dense product: 12 sums where products are added in one go. */
  readonly tileRows: number
  readonly panels: number
}

/** Where sums lie in the working memory, behind the panels: [panel][row of the block][8 outputs]. */
const sumsAt = panelsTogether * panelBytes
const panelSums = blockRows * panelStep

/** Decodes chunks of two tiles of outputs: `f32` [input][8 outputs], as the dense weight has them. */
const decodePanel = (
  kit: WasmStageKit,
  sizes: ManyRows,
  constants: Constants,
  { panel, first, end, target }: Readonly<Record<"panel" | "first" | "end" | "target", number>>,
): void => {
  const { f } = kit
  const { bits, chunks, groups, outputs, tiles } = sizes
  const perWord = 32 / bits
  const [wordBytes, groupChunks] = [tileOutputs * float, chunks / groups]
  for (const half of [0, 1]) {
    // The last panel may have one tile only: the other half then repeats it, and is not stored.
    const tile = smaller(kit, { local: place(kit, half, [{ local: panel }, 2]) }, tiles - 1)
    const codes = place(
      kit,
      { local: kit.operand(operand.codes) },
      [{ local: tile }, chunks * bits * wordBytes],
      [{ local: first }, bits * wordBytes],
    )
    const to = place(kit, { local: target })
    kit.loop({ local: first }, { local: end }, 1, (chunk) => {
      f.get(chunk).i32(groupChunks).op("i32.div_u")
      const group = keep(kit, "i32")
      const at = (index: number, which: number) =>
        place(
          kit,
          { local: kit.operand(index) },
          [{ local: which }, groups * float],
          [{ local: group }, float],
        )
      const zero = loadZeros(kit, constants, at(operand.zeros, tile))
      const scales = Array.from({ length: tileOutputs }, (_, lane) => {
        const output = place(kit, lane, [{ local: tile }, tileOutputs])
        return at(operand.scales, smaller(kit, { local: output }, outputs - 1))
      })
      const scale = gather(kit, scales)
      // Codes are masked where they stand in half a word, and so come out 2^shift times too large.
      const places = Array.from({ length: codesOfHalf(sizes) }, (_, i) => ({
        mask: constants.masks[i],
        zero: vector(kit, "f32x4.mul", zero, constant(kit, 2 ** (bits * i))),
        scale: vector(kit, "f32x4.mul", scale, constant(kit, 2 ** (-bits * i))),
      }))
      for (let input = 0; input < chunkInputs; input += perWord) {
        const word = load(kit, codes, (input / perWord) * wordBytes)
        for (let code = 0; code < perWord; code++) {
          if (code === places.length) f.get(word).i32(16).op("i32x4.shr_u").set(word)
          const own = places[code % places.length]
          f.get(word).get(own.mask).op("v128.and").op("f32x4.convert_i32x4_s")
          f.get(own.zero).op("f32x4.sub").get(own.scale).op("f32x4.mul")
          const weight = keep(kit, "v128")
          store(kit, to, weight, (input + code) * panelStep + half * wordBytes)
        }
      }
      advance(kit, codes, bits * wordBytes)
      advance(kit, to, chunkInputs * panelStep)
    })
  }
}

/** Adds the products of some rows and one panel to their sums, which stay in registers meanwhile. */
const multiplyTile = (
  kit: WasmStageKit,
  { inputs }: ManyRows,
  rows: number,
  { x, panel, sums, steps }: Readonly<Record<"x" | "panel" | "sums" | "steps", number>>,
): void => {
  const { f } = kit
  const places = Array.from({ length: rows }, (_, row) =>
    [0, 1].map((half) => {
      const offset = row * panelStep + half * tileOutputs * float
      return { local: load(kit, sums, offset), offset }
    }),
  )
  const [input, weights] = [place(kit, { local: x }), place(kit, { local: panel })]
  const [left, ...right] = [0, 1, 2].map(() => f.local("v128"))
  kit.loop(0, { local: steps }, 1, () => {
    for (const [half, local] of right.entries()) {
      f.get(weights)
        .memory("v128.load", half * tileOutputs * float)
        .set(local)
    }
    for (const [row, pair] of places.entries()) {
      f.get(input)
        .memory("v128.load32_splat", row * inputs * float)
        .set(left)
      for (const [half, { local }] of pair.entries()) {
        f.get(left).get(right[half])
        kit.multiplyAdd(() => f.get(local))
        f.set(local)
      }
    }
    advance(kit, input, float)
    advance(kit, weights, panelStep)
  })
  for (const { local, offset } of places.flat()) store(kit, sums, local, offset)
}

/** Writes the sums of a panel to the result; the last panel may have fewer outputs. */
const storeSums = (
  kit: WasmStageKit,
  { outputs, panels }: ManyRows,
  { row, rowEnd, panel, sums }: Readonly<Record<"row" | "rowEnd" | "panel" | "sums", number>>,
): void => {
  const { f } = kit
  const from = place(kit, { local: sums })
  const to = place(
    kit,
    { local: kit.operand(operand.result) },
    [{ local: row }, outputs * float],
    [{ local: panel }, panelStep],
  )
  const storeOutputs = (count: number): void => {
    for (let first = 0; first < count; first += tileOutputs) {
      const offset = first * float
      const sum = load(kit, from, offset)
      storeLanes(kit, to, sum, { offset, count: Math.min(tileOutputs, count - first) })
    }
  }
  const rest = outputs % panelOutputs
  kit.loop({ local: row }, { local: rowEnd }, 1, () => {
    if (rest === 0) storeOutputs(panelOutputs)
    else {
      f.get(panel)
        .i32(panels - 1)
        .op("i32.lt_s")
        .if(
          () => storeOutputs(panelOutputs),
          () => storeOutputs(rest),
        )
    }
    advance(kit, from, panelStep)
    advance(kit, to, outputs * float)
  })
}

const write = (kit: WasmStageKit, sizes: ManyRows): void => {
  const { f } = kit
  const { chunks, inputs, rows, tileRows } = sizes
  const constants = makeConstants(kit, sizes)
  const at = (base: number, index: number, step: number) =>
    place(kit, { local: base }, [{ local: index }, step])
  const panelsOf = (group: number, groupEnd: number, body: (panel: number, own: number) => void) =>
    kit.loop({ local: group }, { local: groupEnd }, 1, (panel) => {
      f.get(panel).get(group).op("i32.sub")
      body(panel, keep(kit, "i32"))
    })
  const rest = rows % tileRows
  const sums = place(kit, sumsAt, [{ local: kit.scratch }, 1])
  kit.loop(0, rows, blockRows, (row) => {
    const next = place(kit, blockRows, [{ local: row }, 1])
    const [rowEnd, wholeEnd] = [rows, rows - rest].map((most) =>
      smaller(kit, { local: next }, most),
    )
    kit.loop({ local: kit.start }, { local: kit.end }, panelsTogether, (group) => {
      const afterGroup = place(kit, panelsTogether, [{ local: group }, 1])
      const groupEnd = smaller(kit, { local: afterGroup }, { local: kit.end })
      clear(kit, sums, panelsTogether * panelSums)
      kit.loop(0, chunks, panelChunks, (first) => {
        const after = place(kit, panelChunks, [{ local: first }, 1])
        const end = smaller(kit, { local: after }, chunks)
        panelsOf(group, groupEnd, (panel, own) =>
          decodePanel(kit, sizes, constants, {
            panel,
            first,
            end,
            target: at(kit.scratch, own, panelBytes),
          }),
        )
        const left = place(kit, inputs, [{ local: first }, -chunkInputs])
        const steps = smaller(kit, { local: left }, panelChunks * chunkInputs)
        const tileAt = (each: number, count: number) => {
          const x = place(
            kit,
            { local: kit.operand(operand.x) },
            [{ local: each }, inputs * float],
            [{ local: first }, chunkInputs * float],
          )
          f.get(each).get(row).op("i32.sub")
          const ofRow = at(sums, keep(kit, "i32"), panelStep)
          panelsOf(group, groupEnd, (_, own) =>
            multiplyTile(kit, sizes, count, {
              x,
              panel: at(kit.scratch, own, panelBytes),
              sums: at(ofRow, own, panelSums),
              steps,
            }),
          )
        }
        kit.loop({ local: row }, { local: wholeEnd }, tileRows, (each) => tileAt(each, tileRows))
        if (rest > 0) {
          f.get(wholeEnd).get(rowEnd).op("i32.lt_s")
          f.if(() => tileAt(wholeEnd, rest))
        }
      })
      panelsOf(group, groupEnd, (panel, own) =>
        storeSums(kit, sizes, { row, rowEnd, panel, sums: at(sums, own, panelSums) }),
      )
    })
  })
}

/**
 * The product of many rows: a panel of weights is decoded into the working memory, by the same
 * arithmetic as on the host, and multiplied by a block of rows as the dense product does it.
 */
export const multiplyManyRows = (sizes: PackedSizes, fusedMultiplyAdd: boolean): WasmCode => {
  const { chunks, rows, tiles } = sizes
  const panels = Math.ceil(tiles / 2)
  const plan = { ...sizes, panels, tileRows: fusedMultiplyAdd ? 6 : 4 }
  return {
    stages: [
      {
        name: "quantized linear",
        extent: panels,
        grain: 1,
        work: 2 * panels * chunks * chunkInputs * (2 + rows),
        write: (kit) => write(kit, plan),
      },
    ],
    scratchBytes: sumsAt + panelsTogether * panelSums,
  }
}
