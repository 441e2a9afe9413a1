import { HostArray, Tree } from "@espalier/tensor"
import { Effect, FileSystem, Path, Schema } from "effect"
import { decodeFloats, encodeFloats } from "../stored_dtype.ts"
import { gatherRows, placeRows, rowsAndColumns, storedShape } from "./arrangement.ts"
import { guardFile } from "./checkpoint_file_error.ts"
import { readBytes } from "./read_bytes.ts"
import type { StoredArray, StoredTensor } from "./stored_array.ts"

/** Bytes that are read or written at once: memory beside the arrays stays below a few of these. */
const pieceBytes = 4 * 1024 * 1024

/** The rows of a stored tensor in pieces: whole rows, or single numbers where their places are kept. */
const piecesOf = (stored: StoredArray, width: number) => {
  const { arrangement, shape } = stored
  const [rows, columns] = rowsAndColumns(storedShape(arrangement, shape))
  const [count, length] = arrangement.kind === "plain" ? [rows * columns, 1] : [rows, columns]
  const step = Math.max(1, Math.floor(pieceBytes / (length * width)))
  const pieces = Array.from({ length: Math.ceil(count / step) }, (_, i) => ({
    first: i * step,
    rows: Math.min(step, count - i * step),
  }))
  return { pieces, length, largest: Math.min(step, count) * length }
}

const widthOf = ({ storedDtype }: StoredArray) => (storedDtype === "F32" ? 4 : 2)

/** The shape by which single numbers are the rows. */
const shapeForRows = ({ arrangement, shape }: StoredArray) =>
  arrangement.kind === "plain" ? [shape.reduce((a, b) => a * b, 1)] : shape

/** Reads one parameter, in pieces. */
const readArray = Effect.fnUntraced(function* (
  file: FileSystem.File,
  path: string,
  stored: StoredArray,
  from: number,
) {
  const width = widthOf(stored)
  const { pieces, length, largest } = piecesOf(stored, width)
  const data = new Float32Array(stored.shape.reduce((a, b) => a * b, 1))
  const bytes = new Uint8Array(largest * width)
  const floats = new Float32Array(stored.arrangement.kind === "plain" ? 0 : largest)
  for (const { first, rows } of pieces) {
    const [start, count] = [first * length, rows * length]
    const piece = bytes.subarray(0, count * width)
    yield* readBytes(file, path, piece, from + start * width)
    if (stored.arrangement.kind === "plain") {
      decodeFloats(stored.storedDtype, piece, data.subarray(start, start + count))
    } else {
      const part = floats.subarray(0, count)
      decodeFloats(stored.storedDtype, piece, part)
      placeRows(stored.arrangement, stored.shape, part, first, data)
    }
  }
  return HostArray.make(stored.shape, data)
})

/** Finds where a parameter lies; a tree from another checkpoint is a mistake in the program. */
const placeOf = (tensors: ReadonlyMap<string, StoredTensor>, { name }: StoredArray) => {
  const place = tensors.get(name)
  if (place === undefined) throw new RangeError(`${name} is no tensor of this checkpoint`)
  return place
}

/**
 * Makes the function that gives a tree with host arrays in the place of stored ones. It reads nothing
 * but their bytes and opens a file only once; a tensor that occurs twice is read once.
 */
export const makeReader = Effect.fnUntraced(function* (
  folder: string,
  tensors: ReadonlyMap<string, StoredTensor>,
) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  return Effect.fn("Checkpoint.read")(function* <T>(tree: T) {
    const opened = new Map<string, FileSystem.File>()
    const arrays = new Map<string, HostArray.HostArray>()
    for (const stored of Tree.leaves<StoredArray>(tree)) {
      if (arrays.has(stored.name)) continue
      const { file, from } = placeOf(tensors, stored)
      const full = path.join(folder, file)
      const handle = opened.get(file) ?? (yield* guardFile(full, "read")(fileSystem.open(full)))
      opened.set(file, handle)
      arrays.set(stored.name, yield* readArray(handle, full, stored, from))
    }
    return Tree.map<StoredArray, HostArray.HostArray, T>(tree, ({ name }) => arrays.get(name)!)
  }, Effect.scoped)
})

/** Makes the function that reads single rows of a weight that lies in its file as it does in memory. */
export const makeRowReader = Effect.fnUntraced(function* (
  folder: string,
  tensors: ReadonlyMap<string, StoredTensor>,
) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  return Effect.fn("Checkpoint.readRows")(function* (
    stored: StoredArray,
    rows: ReadonlyArray<number>,
  ) {
    const { file, from } = placeOf(tensors, stored)
    const [count, length] = rowsAndColumns(stored.shape)
    if (stored.arrangement.kind !== "plain") {
      throw new RangeError(`rows of ${stored.name} do not lie in its file as they do in memory`)
    }
    const outside = rows.find((row) => !(Number.isInteger(row) && row >= 0 && row < count))
    if (outside !== undefined) throw new RangeError(`${stored.name} has no row ${outside}`)
    const full = path.join(folder, file)
    const handle = yield* guardFile(full, "read")(fileSystem.open(full))
    const bytes = new Uint8Array(length * widthOf(stored))
    const data = new Float32Array(rows.length * length)
    for (const [i, row] of rows.entries()) {
      yield* readBytes(handle, full, bytes, from + row * bytes.length)
      decodeFloats(stored.storedDtype, bytes, data.subarray(i * length, (i + 1) * length))
    }
    return HostArray.make([rows.length, ...stored.shape.slice(1)], data)
  }, Effect.scoped)
})

/** A weight is finite, but the dtype of its file has no finite number near it. */
export class WeightOverflow extends Schema.TaggedError<WeightOverflow>()("WeightOverflow", {
  path: Schema.String,
  tensor: Schema.String,
  dtype: Schema.String,
  value: Schema.Finite,
  hint: Schema.String,
}) {
  override get message(): string {
    return `${this.path}: ${this.tensor} has a weight of ${this.value}, too large for ${this.dtype}. ${this.hint}`
  }
}

/** The first number that is finite, and infinite as the file will hold it. */
const findOverflow = ({ storedDtype }: StoredArray, values: Float32Array): number | undefined => {
  if (storedDtype === "F32") return undefined
  const read = new Float32Array(Math.min(values.length, pieceBytes / 4))
  for (let start = 0; start < values.length; start += read.length) {
    const piece = values.subarray(start, start + read.length)
    const into = read.subarray(0, piece.length)
    decodeFloats(storedDtype, encodeFloats(storedDtype, piece), into)
    for (let i = 0; i < piece.length; i++) {
      if (Math.abs(into[i]) === Infinity && Math.abs(piece[i]) !== Infinity) return piece[i]
    }
  }
  return undefined
}

/**
 * Makes the function that overwrites exactly the bytes of one tensor with numbers rounded to the file's
 * dtype, ties to even. Nothing is written where a finite number would become infinite.
 */
export const makeWriter = Effect.fnUntraced(function* (
  folder: string,
  tensors: ReadonlyMap<string, StoredTensor>,
) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  return Effect.fn("CheckpointCopy.write")(function* (
    stored: StoredArray,
    value: HostArray.HostArray,
  ) {
    const { file, from } = placeOf(tensors, stored)
    if (value.shape.join() !== stored.shape.join()) {
      const shapes = `[${stored.shape.join(", ")}], not [${value.shape.join(", ")}]`
      throw new RangeError(`${stored.name} has the shape ${shapes}`)
    }
    const full = path.join(folder, file)
    const values = value.data instanceof Float32Array ? value.data : Float32Array.from(value.data)
    const overflow = findOverflow(stored, values)
    if (overflow !== undefined) {
      return yield* new WeightOverflow({
        path: full,
        tensor: stored.name,
        dtype: stored.storedDtype,
        value: overflow,
        hint: "Convert the checkpoint to F32 or BF16 first.",
      })
    }
    const width = widthOf(stored)
    const { pieces, length, largest } = piecesOf(stored, width)
    const floats = new Float32Array(largest)
    const shape = shapeForRows(stored)
    const save = Effect.gen(function* () {
      const handle = yield* fileSystem.open(full, { flag: "r+" })
      yield* handle.seek(BigInt(from), "start")
      for (const { first, rows } of pieces) {
        const piece = floats.subarray(0, rows * length)
        gatherRows(stored.arrangement, shape, values, first, piece)
        yield* handle.writeAll(encodeFloats(stored.storedDtype, piece))
      }
    })
    yield* guardFile(full, "write")(save)
  }, Effect.scoped)
})
