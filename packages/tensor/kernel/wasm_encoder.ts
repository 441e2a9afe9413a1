import type { Opcode } from "./wasm_opcodes.ts"
import { opcodes } from "./wasm_opcodes.ts"

export type { Opcode } from "./wasm_opcodes.ts"

/**
 * A small, pure encoder of WebAssembly binaries: enough of the format for numeric kernels over one
 * imported memory. Instruction names are those of the text format. WebAssembly core specification
 * 3.0, chapter 5 (binary format).
 */

/** Types of parameters, results and locals. */
export type ValueType = "i32" | "i64" | "f32" | "f64" | "v128"

const valueTypes: Record<ValueType, number> = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  v128: 0x7b,
}

/** Appends an unsigned LEB128 integer. */
export const unsigned = (bytes: Array<number>, value: number): void => {
  let rest = value
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  bytes.push(rest)
}

/** Appends a signed LEB128 integer of at most 32 bits (the same bytes serve `i64`). */
export const signed = (bytes: Array<number>, value: number): void => {
  let rest = value | 0
  for (;;) {
    const low = rest & 0x7f
    rest >>= 7
    if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) {
      bytes.push(low)
      return
    }
    bytes.push(low | 0x80)
  }
}

const littleEndian = (size: 4 | 8, value: number): ReadonlyArray<number> => {
  const view = new DataView(new ArrayBuffer(size))
  if (size === 4) view.setFloat32(0, value, true)
  else view.setFloat64(0, value, true)
  return [...new Uint8Array(view.buffer)]
}

/** The exponent of two that an access may be aligned to; whole vectors count as four `f32`. */
const alignmentOf = (name: string): number => {
  if (/(load|store)(8|16)/.test(name)) return 0
  return /load64|store64|^i64|^f64/.test(name) ? 3 : 2
}

/** A branch target: how deep the structured block is. */
export interface Label {
  readonly depth: number
}

/** Builds the body of one function; every method returns the builder, so that code reads in line. */
export class FunctionBuilder {
  readonly index: number
  readonly parameters: ReadonlyArray<ValueType>
  readonly results: ReadonlyArray<ValueType>
  readonly #locals: Array<ValueType> = []
  readonly #entry: Array<number> = []
  #code: Array<number> = []
  #depth = 0

  constructor(
    index: number,
    parameters: ReadonlyArray<ValueType>,
    results: ReadonlyArray<ValueType>,
  ) {
    this.index = index
    this.parameters = parameters
    this.results = results
  }

  /** Declares a local, which starts as zero, and returns its index. */
  local(type: ValueType): number {
    this.#locals.push(type)
    return this.parameters.length + this.#locals.length - 1
  }

  /** Writes code that runs before everything else: what is constant throughout the function. */
  atEntry(body: () => void): this {
    const main = this.#code
    this.#code = this.#entry
    body()
    this.#code = main
    return this
  }

  #opcode(name: Opcode): this {
    const code = opcodes[name]
    if (code > 0xff) {
      this.#code.push(code >>> 16)
      unsigned(this.#code, code & 0xffff)
    } else this.#code.push(code)
    return this
  }

  /** An instruction without immediates. */
  op(name: Opcode): this {
    return this.#opcode(name)
  }

  get(local: number): this {
    this.#code.push(0x20)
    unsigned(this.#code, local)
    return this
  }

  set(local: number): this {
    this.#code.push(0x21)
    unsigned(this.#code, local)
    return this
  }

  tee(local: number): this {
    this.#code.push(0x22)
    unsigned(this.#code, local)
    return this
  }

  i32(value: number): this {
    this.#code.push(0x41)
    signed(this.#code, value)
    return this
  }

  /** An `i64` constant in the range of 32 bits. */
  i64(value: number): this {
    this.#code.push(0x42)
    signed(this.#code, value)
    return this
  }

  f32(value: number): this {
    this.#code.push(0x43, ...littleEndian(4, value))
    return this
  }

  f64(value: number): this {
    this.#code.push(0x44, ...littleEndian(8, value))
    return this
  }

  /** A vector constant of four 32-bit integers. */
  i32x4(a: number, b = a, c = a, d = a): this {
    this.#opcode("v128.const")
    for (const lane of [a, b, c, d]) {
      this.#code.push(lane & 0xff, (lane >>> 8) & 0xff, (lane >>> 16) & 0xff, (lane >>> 24) & 0xff)
    }
    return this
  }

  /** A vector constant with `value` in all four lanes. */
  f32x4(value: number): this {
    const bytes = littleEndian(4, value)
    this.#opcode("v128.const")
    this.#code.push(...bytes, ...bytes, ...bytes, ...bytes)
    return this
  }

  /** A vector constant with `value` in both lanes. */
  f64x2(value: number): this {
    const bytes = littleEndian(8, value)
    this.#opcode("v128.const")
    this.#code.push(...bytes, ...bytes)
    return this
  }

  /** A load or store at (address on the stack) + `offset`; `alignment` is the exponent of two. */
  memory(name: Opcode, offset = 0, alignment = alignmentOf(name)): this {
    this.#opcode(name)
    // Only atomics require their natural alignment; for the others it is a hint.
    unsigned(this.#code, alignment)
    unsigned(this.#code, offset)
    return this
  }

  /** `extract_lane` or `replace_lane`. */
  lane(name: Opcode, lane: number): this {
    this.#opcode(name)
    this.#code.push(lane)
    return this
  }

  /** `v128.load32_lane`, `v128.store32_lane` and their like. */
  memoryLane(name: Opcode, lane: number, offset = 0): this {
    this.memory(name, offset)
    this.#code.push(lane)
    return this
  }

  /** A shuffle of 32-bit lanes: 0–3 are those of the first vector, 4–7 those of the second. */
  shuffle(a: number, b: number, c: number, d: number): this {
    this.#opcode("i8x16.shuffle")
    for (const lane of [a, b, c, d])
      this.#code.push(4 * lane, 4 * lane + 1, 4 * lane + 2, 4 * lane + 3)
    return this
  }

  /** `memory.copy`: destination, source and byte count are on the stack. */
  memoryCopy(): this {
    this.#opcode("memory.copy")
    this.#code.push(0, 0)
    return this
  }

  /** `memory.fill`: destination, byte value and byte count are on the stack. */
  memoryFill(): this {
    this.#opcode("memory.fill")
    this.#code.push(0)
    return this
  }

  call(callee: FunctionBuilder): this {
    this.#code.push(0x10)
    unsigned(this.#code, callee.index)
    return this
  }

  #structured(opcode: number, body: (label: Label) => void): this {
    this.#code.push(opcode, 0x40)
    this.#depth++
    body({ depth: this.#depth })
    this.#depth--
    this.#code.push(0x0b)
    return this
  }

  /** `br` to its label leaves the block. */
  block(body: (label: Label) => void): this {
    return this.#structured(0x02, body)
  }

  /** `br` to its label starts the next round. */
  loop(body: (label: Label) => void): this {
    return this.#structured(0x03, body)
  }

  /** Runs one of two branches, by the condition on the stack. */
  if(whenTrue: () => void, whenFalse?: () => void): this {
    return this.#structured(0x04, () => {
      whenTrue()
      if (whenFalse !== undefined) {
        this.#code.push(0x05)
        whenFalse()
      }
    })
  }

  branch(label: Label): this {
    this.#code.push(0x0c)
    unsigned(this.#code, this.#depth - label.depth)
    return this
  }

  branchIf(label: Label): this {
    this.#code.push(0x0d)
    unsigned(this.#code, this.#depth - label.depth)
    return this
  }

  /** The function as it stands in the code section. */
  encode(): ReadonlyArray<number> {
    const groups: Array<[number, ValueType]> = []
    for (const type of this.#locals) {
      const last = groups.at(-1)
      if (last !== undefined && last[1] === type) last[0]++
      else groups.push([1, type])
    }
    const body: Array<number> = []
    unsigned(body, groups.length)
    for (const [count, type] of groups) {
      unsigned(body, count)
      body.push(valueTypes[type])
    }
    for (const byte of this.#entry) body.push(byte)
    for (const byte of this.#code) body.push(byte)
    body.push(0x0b)
    const sized: Array<number> = []
    unsigned(sized, body.length)
    for (const byte of body) sized.push(byte)
    return sized
  }
}

const utf8 = (bytes: Array<number>, text: string): void => {
  const encoded = new TextEncoder().encode(text)
  unsigned(bytes, encoded.length)
  bytes.push(...encoded)
}

/** The memory that a module imports. Shared memory must state its maximum. */
export interface MemoryImport {
  readonly module: string
  readonly name: string
  readonly minimumPages: number
  readonly maximumPages?: number
  readonly shared?: boolean
}

/**
 * Builds a module of functions over at most one imported memory.
 *
 * @example
 * ```ts
 * const module = new WasmEncoder.ModuleBuilder()
 * const add = module.function(["i32", "i32"], ["i32"])
 * add.get(0).get(1).op("i32.add")
 * module.export("add", add)
 * const instance = new WebAssembly.Instance(new WebAssembly.Module(module.encode()))
 * ```
 */
export class ModuleBuilder {
  readonly #functions: Array<FunctionBuilder> = []
  readonly #exports: Array<{ name: string; function: FunctionBuilder }> = []
  #memory: MemoryImport | undefined

  importMemory(memory: MemoryImport): void {
    this.#memory = memory
  }

  /** Adds a function; functions may call each other in any order. */
  function(
    parameters: ReadonlyArray<ValueType>,
    results: ReadonlyArray<ValueType> = [],
  ): FunctionBuilder {
    const made = new FunctionBuilder(this.#functions.length, parameters, results)
    this.#functions.push(made)
    return made
  }

  export(name: string, exported: FunctionBuilder): void {
    this.#exports.push({ name, function: exported })
  }

  encode(): Uint8Array<ArrayBuffer> {
    const bytes: Array<number> = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]
    const section = (id: number, count: number, fill: (body: Array<number>) => void): void => {
      if (count === 0) return
      const body: Array<number> = []
      unsigned(body, count)
      fill(body)
      bytes.push(id)
      unsigned(bytes, body.length)
      for (const byte of body) bytes.push(byte)
    }
    const signatures = new Map<string, number>()
    const signatureOf = this.#functions.map(({ parameters, results }) => {
      const encoded: Array<number> = [0x60]
      for (const types of [parameters, results]) {
        unsigned(encoded, types.length)
        encoded.push(...types.map((type) => valueTypes[type]))
      }
      const key = encoded.join()
      const known = signatures.get(key) ?? signatures.size
      signatures.set(key, known)
      return known
    })
    section(1, signatures.size, (body) => {
      for (const key of signatures.keys()) body.push(...key.split(",").map(Number))
    })
    const memory = this.#memory
    section(2, memory === undefined ? 0 : 1, (body) => {
      if (memory === undefined) return
      utf8(body, memory.module)
      utf8(body, memory.name)
      body.push(
        0x02,
        (memory.maximumPages === undefined ? 0 : 1) | (memory.shared === true ? 2 : 0),
      )
      unsigned(body, memory.minimumPages)
      if (memory.maximumPages !== undefined) unsigned(body, memory.maximumPages)
    })
    section(3, this.#functions.length, (body) => {
      for (const signature of signatureOf) unsigned(body, signature)
    })
    section(7, this.#exports.length, (body) => {
      for (const exported of this.#exports) {
        utf8(body, exported.name)
        body.push(0x00)
        unsigned(body, exported.function.index)
      }
    })
    section(10, this.#functions.length, (body) => {
      for (const made of this.#functions) for (const byte of made.encode()) body.push(byte)
    })
    return new Uint8Array(bytes)
  }
}
