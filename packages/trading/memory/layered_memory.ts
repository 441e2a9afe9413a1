import { Option, Result, Schema } from "effect"
import { Base64 } from "effect/encoding"
import {
  layerAbove,
  layerBelow,
  type LayerRules,
  makeLayerRules,
  type MemoryLayer,
  memoryLayers,
} from "./layers.ts"

/** What is remembered. */
export interface Memory {
  readonly id: number
  readonly layer: MemoryLayer
  /** The day it came. */
  readonly date: string
  readonly text: string
  /** Which way it speaks for: above 0 for a rising price, below 0 for a falling one. */
  readonly stance: number
  readonly importance: number
  /** δ: days since it came or was promoted. */
  readonly age: number
  /** Of length 1, or all zeros. */
  readonly vector: Float32Array
}

/** A memory, and how well it fits a query. */
export interface ScoredMemory extends Memory {
  readonly score: number
}

/** Memories less recent or less important than this are forgotten. */
const leastRecency = 0.05
const leastImportance = 5

/** What an access is worth, with the sign of the profit that it led to. */
const feedbackStep = 5

const SavedMemory = Schema.Struct({
  id: Schema.Int,
  layer: Schema.Literals(["short", "mid", "long", "reflection"]),
  date: Schema.String,
  text: Schema.String,
  stance: Schema.Finite,
  importance: Schema.Finite,
  age: Schema.Finite,
  vector: Schema.String,
})
const Saved = Schema.Struct({ next: Schema.Int, memories: Schema.Array(SavedMemory) })

const lengthOf = (vector: ArrayLike<number>): number => {
  let sum = 0
  for (let i = 0; i < vector.length; i++) sum += vector[i] ** 2
  return Math.sqrt(sum)
}

/** A vector with length 1 in single precision, which is how it is kept and saved. */
export const unitVector = (vector: ArrayLike<number>): Float32Array => {
  const length = lengthOf(vector)
  return Float32Array.from(vector, (value) => (length > 0 ? value / length : 0))
}

const product = (a: Float32Array, b: Float32Array): number => {
  let sum = 0
  for (let i = 0; i < Math.min(a.length, b.length); i++) sum += a[i] * b[i]
  return sum
}

/**
 * FinMem's layered memory: what is recent, important and like the present comes back, what proved right
 * rises and stays, and the rest is forgotten.
 *
 * @example
 * ```ts
 * import { LayeredMemory } from "@espalier/trading"
 *
 * const memory = new LayeredMemory()
 * memory.add({ layer: "short", date: "2023-01-01", text: "prices rise", stance: 1, vector: [1, 0] })
 * memory.add({ layer: "short", date: "2023-01-01", text: "rain", stance: 0, vector: [0, 1] })
 * console.log(memory.recall([1, 0], 1).map(({ text, score }) => `${text} ${score}`)) // [ 'prices rise 2.5' ]
 * ```
 */
export class LayeredMemory {
  readonly rules: LayerRules
  #memories: ReadonlyArray<Memory> = []
  #next = 1

  constructor(rules: LayerRules = makeLayerRules()) {
    this.rules = rules
  }

  /** All memories, in the order they came. */
  get memories(): ReadonlyArray<Memory> {
    return this.#memories
  }

  /** Takes a memory in; gives its id. */
  add(memory: {
    readonly layer: MemoryLayer
    readonly date: string
    readonly text: string
    readonly stance: number
    readonly vector: ArrayLike<number>
    /** Added to what memories of that layer begin with. */
    readonly weight?: number
  }): number {
    const { weight = 0, vector, ...rest } = memory
    const id = this.#next++
    const importance = this.rules[memory.layer].begins + weight
    this.#memories = [
      ...this.#memories,
      { id, ...rest, importance, age: 0, vector: unitVector(vector) },
    ]
    return id
  }

  /** exp(−δ / Q). */
  recency({ layer, age }: Memory): number {
    return Math.exp(-age / this.rules[layer].recency)
  }

  /**
   * The memories of each layer with the highest scores, `count` of each, the best first: cosine + recency
   * + min(importance, 100) / 100. Of equal scores the younger memory comes first.
   */
  recall(query: ArrayLike<number>, count: number): ReadonlyArray<ScoredMemory> {
    const unit = unitVector(query)
    const scored = this.#memories.map((memory) => ({
      ...memory,
      score:
        product(unit, memory.vector) +
        this.recency(memory) +
        Math.min(memory.importance, 100) / 100,
    }))
    return memoryLayers.flatMap((layer) =>
      scored
        .filter((memory) => memory.layer === layer)
        .sort((a, b) => b.score - a.score || b.id - a.id)
        .slice(0, count),
    )
  }

  /** Importance ± 5 for the memories that led to a profit or a loss: each access counts for itself. */
  feedback(ids: ReadonlyArray<number>, profit: number): void {
    const step = feedbackStep * Math.sign(profit)
    const led = new Set(ids)
    this.#change((memory) =>
      led.has(memory.id)
        ? { ...memory, importance: Math.max(0, memory.importance + step) }
        : memory,
    )
  }

  /** Lets days of the calendar pass: δ grows, importance is multiplied with θ a day. */
  decay(days: number): void {
    this.#change((memory) => ({
      ...memory,
      age: memory.age + days,
      importance: memory.importance * this.rules[memory.layer].importance ** days,
    }))
  }

  /** Forgets what is not recent or not important any more; gives how many. */
  clean(): number {
    const before = this.#memories.length
    this.#memories = this.#memories.filter(
      (memory) => this.recency(memory) >= leastRecency && memory.importance >= leastImportance,
    )
    return before - this.#memories.length
  }

  /** Moves memories a layer up, where they are recent again, or down, where they are as old as they are. */
  promote(): { readonly promoted: number; readonly demoted: number } {
    let [promoted, demoted] = [0, 0]
    this.#change((memory) => {
      const { promoteAt = Infinity, demoteBelow = -Infinity } = this.rules[memory.layer]
      const [above, below] = [layerAbove[memory.layer], layerBelow[memory.layer]]
      if (above !== undefined && memory.importance >= promoteAt) {
        promoted++
        return { ...memory, layer: above, age: 0 }
      }
      if (below !== undefined && memory.importance < demoteBelow) {
        demoted++
        return { ...memory, layer: below }
      }
      return memory
    })
    return { promoted, demoted }
  }

  /** How many memories each layer has. */
  counts(): Readonly<Record<MemoryLayer, number>> {
    const counts = { short: 0, mid: 0, long: 0, reflection: 0 }
    for (const { layer } of this.#memories) counts[layer]++
    return counts
  }

  /** As plain JSON, with every bit. */
  save(): typeof Saved.Type {
    return {
      next: this.#next,
      // In one order of fields, so that what was restored and saved again has the same bytes.
      memories: this.#memories.map(
        ({ id, layer, date, text, stance, importance, age, vector }) => ({
          id,
          layer,
          date,
          text,
          stance,
          importance,
          age,
          vector: Base64.encode(
            new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength),
          ),
        }),
      ),
    }
  }

  /** What {@link save} gave, as it was; `undefined` where it is something else. */
  static restore(saved: unknown, rules?: LayerRules): LayeredMemory | undefined {
    const decoded = Schema.decodeUnknownOption(Saved)(saved)
    if (Option.isNone(decoded)) return undefined
    const memory = new LayeredMemory(rules)
    memory.#next = decoded.value.next
    const memories: Array<Memory> = []
    for (const { vector, ...rest } of decoded.value.memories) {
      const bytes = Result.getOrUndefined(Base64.decode(vector))
      if (bytes === undefined || bytes.length % 4 !== 0) return undefined
      memories.push({ ...rest, vector: new Float32Array(bytes.slice().buffer) })
    }
    memory.#memories = memories
    return memory
  }

  #change(change: (memory: Memory) => Memory): void {
    this.#memories = this.#memories.map(change)
  }
}
